//! How the service is asked over the network: what is understood, and what is refused with its reason.

use super::World;

#[test]
fn without_a_word_it_listens_on_this_host_alone_and_believes_nobody() {
    let access = World::new().read().unwrap().access;
    assert_eq!(access.listen.unwrap().to_string(), "127.0.0.1:3004");
    assert!(access.rules.proxies.is_empty() && access.rules.sign_on.is_none() && access.rules.public.is_none());
    assert!(
        World::new()
            .env("STILLPOINT_LISTEN", "off")
            .read()
            .unwrap()
            .access
            .listen
            .is_none()
    );
}

#[test]
fn a_proxy_is_an_address_or_a_network() {
    let world = World::new()
        .env("STILLPOINT_TRUSTED_PROXIES", "192.0.2.1, 10.0.0.0/8,fd00::/8")
        .env("STILLPOINT_USER_HEADER", "Remote-User")
        .env("STILLPOINT_ADMIN_GROUPS", "ops");
    let rules = world.read().unwrap().access.rules;
    let proxies: Vec<String> = rules.proxies.iter().map(ToString::to_string).collect();
    assert_eq!(proxies, ["192.0.2.1/32", "10.0.0.0/8", "fd00::/8"]);
    let sign_on = rules.sign_on.unwrap();
    assert_eq!(
        (sign_on.user.as_str(), &sign_on.admins[..]),
        ("remote-user", &["ops".to_owned()][..])
    );
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for (variable, value, why) in [
        ("STILLPOINT_LISTEN", "3004", "is no address with a port"),
        ("STILLPOINT_PUBLIC_URL", "backup.example.org", "is no address such as"),
        ("STILLPOINT_PUBLIC_URL", "https://example.org/backup", "has a path"),
        ("STILLPOINT_ALLOWED_HOSTS", "https://example.org", "is no host name"),
        ("STILLPOINT_TRUSTED_PROXIES", "traefik", "is no address or network"),
        ("STILLPOINT_USER_HEADER", "Cookie", "means something else"),
        ("STILLPOINT_USER_HEADER", "Remote-User", "nobody's word counts"),
    ] {
        let (refused, _) = World::new().env(variable, value).refused();
        assert!(
            refused.starts_with(variable) && refused.contains(why),
            "{variable}={value}: {refused}"
        );
    }
}
