//! Mail, against a server that speaks just enough of SMTP.

use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use super::{SECRET, notice};
use crate::sender::{Carrier, Sender};

/// What a server heard, line by line.
type Heard = Arc<Mutex<Vec<String>>>;

/// A server for one connection that takes every login, or none.
async fn server(takes_logins: bool) -> (u16, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Heard::default();
    let told = heard.clone();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        write.write_all(b"220 here\r\n").await.unwrap();
        let mut in_data = false;
        while let Ok(Some(line)) = lines.next_line().await {
            told.lock().await.push(line.clone());
            let answer = match line.split(' ').next().unwrap_or_default() {
                "." if in_data => {
                    in_data = false;
                    "250 queued as 7\r\n".to_owned()
                }
                _ if in_data => continue,
                "EHLO" => "250-here\r\n250 AUTH PLAIN LOGIN\r\n".to_owned(),
                "AUTH" if takes_logins => "235 welcome\r\n".to_owned(),
                "AUTH" => format!("535 {SECRET} is wrong\r\n"),
                "DATA" => {
                    in_data = true;
                    "354 go on\r\n".to_owned()
                }
                "QUIT" => "221 bye\r\n".to_owned(),
                _ => "250 ok\r\n".to_owned(),
            };
            write.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (port, heard)
}

fn address(port: u16) -> String {
    format!("smtp://u:{SECRET}@127.0.0.1:{port}/?fromAddress=a@x.org&toAddresses=b@x.org,c@x.org&encryption=None")
}

#[tokio::test]
async fn mail_goes_to_everybody_with_the_title_as_its_subject() {
    let (port, heard) = server(true).await;
    let channel = crate::channels(&address(port)).unwrap().all.remove(0);
    assert_eq!(channel.name(), "email:127.0.0.1");
    let answer = Sender::new().carry(&channel, &notice()).await;
    assert_eq!(answer.as_deref(), Ok("queued as 7"));
    let heard = heard.lock().await.join("\n");
    for expected in [
        "MAIL FROM:<a@x.org>",
        "RCPT TO:<b@x.org>",
        "RCPT TO:<c@x.org>",
        "Subject: [Stillpoint] Backup FAILED: acme on vm1",
        "Message-ID: <",
        "What to do: make room",
    ] {
        assert!(heard.contains(expected), "{expected} is not in\n{heard}");
    }
}

#[tokio::test]
async fn a_login_that_is_refused_is_told_without_the_password() {
    let (port, _) = server(false).await;
    let channel = crate::channels(&address(port)).unwrap().all.remove(0);
    let why = Sender::new().carry(&channel, &notice()).await.unwrap_err();
    assert!(why.contains("is wrong") && !why.contains(SECRET), "{why}");
}
