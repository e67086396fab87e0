//! Milvus by the program, on its real engine: what is special to it. What every store must do is in `conformance`.

mod refused;
mod scene;

use std::process::Command;

use anyhow::{Context, Result, ensure};
use stillpoint_testkit::testbed::{Status, Testbed, images};

use crate::common::{PIN, has_claim, is_back, standing, until};
use crate::conformance::milvus::BULK;
use crate::page::commands;
use scene::{
    SERVICE, about, answers, ask, etcdctl, indexes_in_use, on_milvus, restore, s3, same, same_but_for, strangers,
};

/// Everything that a client and its administrator may change, and rows that are in no segment yet.
const CHANGE: &str = "
m.call('AlterAlias', collection_name='chunks', alias='docs')
m.call('ReleaseCollection', collection_name='events')
m.call('DropIndex', collection_name='notes', index_name='exact')
m.call('CreatePartition', collection_name='raw', partition_name='more')
m.call('OperateUserRole', username='alice', role_name='readers', type='RemoveUserFromRole')
m.call('UpdateCredential', username='alice', oldPassword=password('alice-secret'), newPassword=password('later-secret'))
m.call('CreateCredential', username='later', password=password('later-secret'))
m.call('DropDatabase', db_name='_empty_database')
m.call('CreateDatabase', db_name='later')
second = m.at('second')
second.call('DropAlias', alias='docs')
second.call('ReleaseCollection', collection_name='documents')
second.call('DropCollection', collection_name='documents')
m.call('ReleaseCollection', collection_name='fingerprints')
m.call('DropCollection', collection_name='fingerprints')
fields = [schema.FieldSchema(name='id', data_type=schema.Int64, is_primary_key=True),
          schema.FieldSchema(name='vec', data_type=schema.FloatVector, type_params=[pair('dim', 2)])]
m.call('CreateCollection', collection_name='fingerprints', shards_num=1,
       schema=schema.CollectionSchema(name='fingerprints', fields=fields).SerializeToString())
m.delete('documents', 'id in [77, 78]')
m.insert('chunks', {'id': (schema.Int64, [-1]), 'cat': (schema.VarChar, ['later']), 'vec': (schema.FloatVector, [[0.5] * 16])})
";

/// Where the rows of the database stand that [`CHANGE`] drops, and how long each object is.
fn objects_of_second(testbed: &Testbed) -> Result<Vec<(String, usize)>> {
    let script = "c = m.at('second').call('DescribeCollection', collection_name='documents')\nprint(c.collectionID)";
    let folder = format!("files%2Finsert_log%2F{}%2F", ask(testbed, script)?);
    let listed = s3(testbed, &format!("milvus-bucket?list-type=2&prefix={folder}"), "")?;
    let between = |text: &str, tag: &str| {
        let rest = text.split_once(&format!("<{tag}>")).map(|(_, rest)| rest.to_owned())?;
        rest.split('<').next().map(str::to_owned)
    };
    let objects = listed.split("<Contents>").skip(1).map(|one| {
        let (key, size) = (between(one, "Key"), between(one, "Size"));
        Ok((key.context("no key")?, size.context("no size")?.parse()?))
    });
    let objects: Vec<_> = objects.collect::<Result<_>>()?;
    ensure!(objects.len() > 1, "no rows in the bucket: {listed}");
    Ok(objects)
}

#[test]
fn what_a_restore_replaces_comes_back_and_what_is_others_is_not_touched() -> Result<()> {
    on_milvus("mvundone", |testbed, product| {
        let others = strangers(testbed)?;
        indexes_in_use(testbed)?;
        let backup = product.backup()?;
        let at_backup = testbed.truth()?;
        let replaced = objects_of_second(testbed)?;
        ask(testbed, CHANGE)?;
        // As a server does that builds an index again: the same names, other bytes; of the same length, or not.
        for (nth, (key, size)) in replaced.iter().enumerate() {
            let size = size + nth % 2;
            s3(
                testbed,
                &format!("milvus-bucket/{key}"),
                &format!("-T <(head -c {size} /dev/zero)"),
            )?;
        }
        testbed.tick()?;
        let before_restore = testbed.truth()?;
        let before = standing(testbed)?;

        restore(product, &backup)?.must_end_with(0)?;
        is_back(testbed, &before)?;
        // Nothing of the rows that were in no segment, and of the deletes, is left in its log to be played once more.
        same(testbed, &at_backup)?;
        indexes_in_use(testbed)?;
        assert_eq!(strangers(testbed)?, others);

        about(testbed, product, "undo")?.must_end_with(0)?;
        is_back(testbed, &before)?;
        same(testbed, &before_restore)?;
        assert_eq!(strangers(testbed)?, others);

        restore(product, &backup)?.must_end_with(0)?;
        about(testbed, product, "discard-old")?.must_end_with(0)?;
        same(testbed, &at_backup)?;
        // It is a server as any other: it takes rows, puts them into segments, and makes collections of old names.
        ask(testbed, CHANGE)?;
        ask(testbed, "m.flush('documents', 'chunks')")?;
        same(testbed, &before_restore).context("after the same changes once more")?;
        assert_eq!(strangers(testbed)?, others);
        Ok(())
    })
}

/// More rows, deletes, a compaction that replaces segments, a collection and a database less: while the segments that were pinned are
/// copied.
const BUSY: &str = "
segments = lambda: sorted(info.segmentID for info in m.call('GetPersistentSegmentInfo', collectionName='chunks').infos)
before = segments()
ids = range(5 * 10 ** 6, 5 * 10 ** 6 + 400)
m.insert('chunks', {'id': (schema.Int64, ids), 'cat': (schema.VarChar, ['later' for _ in ids]),
                    'vec': (schema.FloatVector, [[0.5] * 16 for _ in ids])})
m.delete('chunks', f'id in {list(range(2000, 2500))}')
m.flush('chunks')
number = m.call('DescribeCollection', collection_name='chunks').collectionID
work = m.call('ManualCompaction', calls.ManualCompactionRequest(collectionID=number)).compactionID
done = lambda: m.call('GetCompactionState', calls.GetCompactionStateRequest(compactionID=work)).state == common.CompactionState.Completed
m.until('compaction', lambda: done() and not set(before) & set(segments()))
for name in ('documents', 'notes', 'bulk'):
    for alias in m.call('DescribeCollection', collection_name=name).aliases:
        m.call('DropAlias', alias=alias)
    m.call('ReleaseCollection', collection_name=name)
    m.call('DropCollection', collection_name=name)
second = m.at('second')
second.call('DropAlias', alias='docs')
for name in second.collections():
    second.call('ReleaseCollection', collection_name=name)
    second.call('DropCollection', collection_name=name)
m.call('DropDatabase', db_name='second')
";

#[test]
fn clients_that_compact_and_drop_while_segments_are_copied_change_nothing_of_the_backup() -> Result<()> {
    on_milvus("mvdrain", |testbed, product| {
        testbed.beside(SERVICE, BULK)?;
        let at_backup = testbed.truth()?;
        let ran = product.interfered_with(&PIN[1..], SERVICE, |_| {
            testbed.rest()?;
            ask(testbed, BUSY).map(drop)
        })?;
        // Who is frozen while it looks after its clients may find on waking that the engine did not answer in time: 3, a good backup.
        ensure!(matches!(ran.code, Some(0 | 3)), "{ran:?}");
        let summary = ran.summary()?;
        let backup = summary["manifest"]["id"].as_str().context("no backup")?;
        ensure!(same(testbed, &at_backup).is_err(), "nobody has changed anything");
        product.restore(backup)?;
        same(testbed, &at_backup)
    })
}

#[test]
fn a_pinned_segment_that_vanishes_fails_the_backup_by_its_name() -> Result<()> {
    on_milvus("mvgone", |testbed, product| {
        testbed.beside(SERVICE, BULK)?;
        // Its rows, of which nothing is copied before: names are copied in their order.
        let script = "info = m.call('GetPersistentSegmentInfo', collectionName='bulk').infos[-1]\n\
                      print(f'files/insert_log/{info.collectionID}/{info.partitionID}/{info.segmentID}/')";
        let folder = ask(testbed, script)?.replace('/', "%2F");
        let before = standing(testbed)?;
        let mut gone = String::new();
        let ran = product.interfered_with(&PIN[1..], SERVICE, |_| {
            let listed = s3(testbed, &format!("milvus-bucket?list-type=2&prefix={folder}"), "")?;
            let names = listed.split("<Key>").skip(1).filter_map(|rest| rest.split('<').next());
            let last = names.max().context("no rows in the bucket")?;
            gone = last.to_owned();
            s3(testbed, &format!("milvus-bucket/{last}"), "-X DELETE").map(drop)
        })?;
        let gone = gone.strip_prefix("files/").context("another folder")?;
        ran.must_end_with(1)?
            .must_print(&format!("its object {gone} was removed before it was copied"))?;
        is_back(testbed, &before)?;
        assert_eq!(product.backups()?, Vec::<String>::new());
        Ok(())
    })
}

#[test]
fn a_backup_goes_onto_a_platform_that_has_lost_everything() -> Result<()> {
    on_milvus("mvfresh", |testbed, product| {
        let backup = product.backup()?;
        let truth = testbed.truth()?;
        testbed.down()?;
        testbed.up()?;
        ensure!(
            !etcdctl(testbed, "etcdctl get '' --from-key --keys-only")?.contains("by-dev-2"),
            "its etcd is the old one"
        );
        product.restore(&backup)?;
        // What was others' was lost as well, and nobody has promised it.
        same_but_for(testbed, &truth, Some("milvus/strangers"))?;
        indexes_in_use(testbed)?;
        product.restore(&backup)?;
        same_but_for(testbed, &truth, Some("milvus/strangers"))
    })
}

#[test]
fn a_restore_that_dies_half_way_is_never_taken_for_done_and_is_resumed_or_undone() -> Result<()> {
    on_milvus("mvtorn", |testbed, product| {
        testbed.beside(SERVICE, BULK)?;
        let others = strangers(testbed)?;
        let backup = product.backup()?;
        let at_backup = testbed.truth()?;
        testbed.wreck()?;
        let before_restore = testbed.truth()?;
        let before = standing(testbed)?;
        let die = |is_at_work: bool| -> Result<()> {
            let mut running = product.start(&["restore", &backup, "--confirm", &backup, "--json"])?;
            running.until("the load", |said| {
                said["event"] == "step_began" && said["step"] == "load"
            })?;
            if is_at_work {
                running.until("the first bytes", |said| {
                    said["event"] == "progress" && said["store"] == SERVICE
                })?;
            }
            running.kill_all()
        };
        let is_unfinished = || -> Result<()> {
            ensure!(has_claim(testbed)?, "nothing says that a restore was under way");
            product.run(&["backup"])?.must_end_with(14).map(drop)
        };
        die(false)?;
        is_unfinished()?;
        about(testbed, product, "undo")?.must_end_with(0)?;
        is_back(testbed, &before)?;
        same(testbed, &before_restore)?;

        die(true)?;
        is_unfinished()?;
        // Started on the half it says that it is healthy.
        let server = testbed.container(SERVICE)?;
        if testbed.state(SERVICE)?.status != Status::Running {
            testbed.docker(&["start", &server])?;
            let healthy = ["exec", &server, "curl", "-fs", "http://localhost:9091/healthz"];
            until("it says that it is healthy", || Ok(testbed.docker(&healthy).is_ok()))?;
        }
        product.run(&["restore", "resume"])?.must_end_with(0)?;
        is_back(testbed, &before)?;
        same(testbed, &at_backup)?;
        about(testbed, product, "undo")?.must_end_with(0)?;
        same(testbed, &before_restore)?;

        die(true)?;
        about(testbed, product, "undo")?.must_end_with(0)?;
        is_back(testbed, &before)?;
        same(testbed, &before_restore)?;
        assert_eq!(strangers(testbed)?, others);
        Ok(())
    })
}

#[test]
fn a_backup_restores_by_hand_with_etcdctl_and_a_client_for_s3() -> Result<()> {
    let blocks = commands("Milvus")?;
    let [stop, replace, start] = blocks[..] else {
        anyhow::bail!("the page has {} blocks for Milvus", blocks.len());
    };
    on_milvus("mvbyhand", |testbed, product| {
        let backup = product.repository.join(product.backup()?);
        let truth = testbed.truth()?;
        let others = strangers(testbed)?;
        testbed.wreck()?;
        let server = testbed.container(SERVICE)?;
        by_hand(stop, &server)?;
        let mount = format!("{}:/backup:ro", backup.display());
        let network = format!("{}_backend", testbed.project());
        let clients = images()?
            .remove("IMG_CLIENTS")
            .context("no image with the stock clients")?;
        let variables = [
            "STORE=milvus",
            "ROOT=by-dev",
            "ETCDCTL_ENDPOINTS=http://etcd:2379",
            "FILES=http://seaweedfs-s3:8333/milvus-bucket/files",
            "KEY=testbed-admin",
            "SECRET=testbed-admin-secret",
        ];
        let variables: Vec<&str> = variables.iter().flat_map(|variable| ["-e", variable]).collect();
        let place = [
            "run",
            "--rm",
            "--network",
            &network,
            "--volume",
            &mount,
            "--workdir",
            "/backup",
        ];
        let shell = [clients.as_str(), "sh", "-euc", replace];
        testbed
            .docker(&[&place[..], &variables, &shell].concat())
            .context("by hand")?;
        by_hand(start, &server)?;
        answers(testbed)?;
        same(testbed, &truth)?;
        indexes_in_use(testbed)?;
        assert_eq!(strangers(testbed)?, others);
        Ok(())
    })
}

fn by_hand(block: &str, container: &str) -> Result<()> {
    let ran = Command::new("sh")
        .args(["-euc", block])
        .env("CONTAINER", container)
        .output()?;
    let told = String::from_utf8_lossy(&ran.stderr);
    ensure!(ran.status.success(), "by hand:\n{block}\n{told}");
    Ok(())
}
