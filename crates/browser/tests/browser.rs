//! The browser of the tests, on pages made for it: that it acts as somebody would, and that each fault it is to find is found.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use anyhow::Result;
use stillpoint_browser::{Browser, Scripts};

const GOOD: &str = "<!doctype html><html lang=en><title>Good</title><link rel=icon href='data:,'><main><h1>A page</h1>
<form action=/said><label>Word <input name=word></label> <button>Say it</button></form>
<p id=ran>no script has run</p></main><script>document.getElementById('ran').textContent = 'a script has run'</script></html>";

/// A site that answers every path with a page; what comes after `?` in it stands in its place.
fn site(page: &'static str) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = format!("http://{}", listener.local_addr()?);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let _ = answer(&stream, page);
        }
    });
    Ok(address)
}

fn answer(mut stream: &std::net::TcpStream, page: &str) -> Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let said = first.split(' ').nth(1).and_then(|path| path.split_once("word="));
    let page = said.map_or(page.to_owned(), |(_, word)| page.replace("A page", word));
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{page}",
        page.len()
    )?;
    Ok(())
}

#[test]
fn a_form_is_filled_in_and_sent_with_and_without_scripts() -> Result<()> {
    let site = site(GOOD)?;
    for (scripts, says) in [(Scripts::On, "a script has run"), (Scripts::Off, "no script has run")] {
        let browser = Browser::start(&site, scripts)?;
        browser.go("/")?;
        browser.sees(says)?;
        assert_eq!(browser.title()?, "Good");
        browser.fill("word", "hello")?;
        browser.press("Say it")?;
        browser.sees("hello")?;
        assert_eq!(browser.place()?, "/said?word=hello");
        browser.end()?;
    }
    Ok(())
}

/// What is said against a page.
fn against(page: &'static str) -> Result<String> {
    let browser = Browser::start(&site(page)?, Scripts::On)?;
    browser.go("/")?;
    let said = browser.look("testkit").err();
    browser.end()?;
    Ok(said.map_or(String::new(), |error| format!("{error:#}")))
}

#[test]
fn a_page_without_faults_is_passed_and_each_kind_of_fault_is_found() -> Result<()> {
    assert_eq!(against(GOOD)?, "");
    for (fault, told) in [
        (
            "<!doctype html><html lang=en><title>x</title><link rel=icon href='data:,'><main><h1>x</h1><input name=nameless></main></html>",
            "out of somebody's reach",
        ),
        (
            "<!doctype html><html lang=en><title>x</title><link rel=icon href='data:,'><main><h1>x</h1><div style='width: 600px'>x</div></main></html>",
            "390 px, light",
        ),
        (
            "<!doctype html><html lang=en><title>x</title><link rel=icon href='data:,'><main><h1>x</h1></main><script>console.error('torn')</script></html>",
            "torn",
        ),
    ] {
        let said = against(fault)?;
        assert!(said.contains(told), "{told}: {said}");
    }
    Ok(())
}
