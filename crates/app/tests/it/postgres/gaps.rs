//! A dump of which something cannot be loaded: the other databases of the server are there, and an operator who accepts the
//! gap goes on. And one database alone.

use anyhow::{Context, Result};

use super::{Server, on_server};

/// The rows of `rotten` were checked by a function that has changed since, and `orphan` refers to what is not there.
const SEEDED: &str = r#"
create database good;
\connect good
create table kept as select generate_series(1, 10) n;
create database "o'bad";
\connect "o'bad"
create table whole (n integer primary key);
insert into whole select generate_series(1, 20);
create function is_sound(n integer) returns boolean immutable language sql as 'select true';
create table rotten (n integer check (is_sound(n)));
insert into rotten values (1), (2), (-3);
create or replace function is_sound(n integer) returns boolean immutable language sql as 'select n > 0';
create table orphan (n integer references whole);
set session_replication_role = replica;
insert into orphan values (1), (99);
reset session_replication_role;
create database other;
\connect other
create table kept as select generate_series(1, 30) n;
"#;

const CHANGED: &str = r#"
\connect good
insert into kept values (11);
\connect "o'bad"
insert into whole values (21);
\connect other
insert into kept values (31);
"#;

/// Rows of `good`, of the three tables of the bad one, and of `other`.
fn rows(server: &Server) -> Result<String> {
    let counts = r#"
\connect good
select count(*) from kept;
\connect "o'bad"
select count(*) from whole;
select count(*) from rotten;
select count(*) from orphan;
\connect other
select count(*) from kept;"#;
    Ok(server.psql(counts)?.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn undo(server: &Server) -> Result<()> {
    let undo = ["restore", "undo", "--confirm", server.testbed.project()];
    server.product.run(&undo)?.must_end_with(0)?;
    assert_eq!(rows(server)?, "11 21 3 2 31");
    Ok(())
}

#[test]
fn what_cannot_be_loaded_is_accepted_by_name_and_one_database_goes_alone() -> Result<()> {
    on_server("gaps", "POSTGRES", |server| {
        server.psql(SEEDED)?;
        let product = &server.product;
        product.run(&["backup"])?.must_end_with(0)?;
        let id = product.backups()?.pop().context("there is no backup")?;
        server.psql(CHANGED)?;

        let of = |database| ["restore", &id, "--database", database];
        product
            .run(&[&of("another")[..], &["--dry-run"]].concat())?
            .must_end_with(13)?
            .must_say("the backup has no database another; there are boss, good, o'bad, other, postgres")?;
        product
            .run(&[&of("other")[..], &["--dry-run"]].concat())?
            .must_end_with(0)?
            .must_print("of its databases these alone: other")?;
        product
            .run(&[&of("other")[..], &["--confirm", &id]].concat())?
            .must_end_with(0)?
            .must_print("of its databases other alone")?;
        assert_eq!(rows(server)?, "11 21 3 2 30");
        undo(server)?;

        let way_on = r"stillpoint restore resume --accept 'o'\''bad'";
        product
            .run(&["restore", &id, "--confirm", &id])?
            .must_end_with(14)?
            .must_say("database `o'bad` cannot be loaded; all others are there")?
            .must_say(way_on)?;
        product
            .run(&["restore", "resume"])?
            .must_end_with(14)?
            .must_say(way_on)?;
        product
            .run(&["restore", "resume", "--accept", "obad"])?
            .must_end_with(13)?
            .must_say("--accept obad: no such database is restored")?;
        product
            .run(&["restore", "resume", "--accept", "o'bad"])?
            .must_end_with(3)?
            .must_print("not all of it is there")?
            .must_print("MISSING in database o'bad of db, as was accepted:")?
            .must_print("COPY failed for table \"rotten\"")?
            .must_print("violates foreign key constraint \"orphan_n_fkey\"")?
            .must_print("rows of public.rotten: 3 in the backup, 0 restored")?;
        assert_eq!(rows(server)?, "10 20 0 2 30");
        product.run(&["backup"])?.must_end_with(0)?;
        undo(server)
    })
}
