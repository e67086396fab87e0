//! Every call of the run that heals what a dead one has left.

use super::*;

/// A world whose backup died while its stores were drained.
async fn died_while_draining() -> Case {
    let case = Case::new(sample::world());
    case.world.faults.on(Method::ProcessOutput).of("queue").kills();
    assert!(case.world.faults.live(case.world.backup()).await.is_none(), "it lives");
    case.world.faults.reset();
    case.world.wait_a_minute().await;
    case
}

async fn golden() -> Vec<Call> {
    let case = died_while_draining().await;
    let told = case.world.backup().await;
    assert_eq!(told.exit(), Exit::Ok, "{}", told.words());
    assert_eq!(case.down(), [""; 0]);
    case.world.faults.calls()
}

async fn the_next_heals(case: &Case, call: &Call, bad: &mut Complaints) {
    case.world.faults.reset();
    case.world.wait_a_minute().await;
    let told = case.world.backup().await;
    bad.unless(told.exit() == Exit::Ok, call, || {
        format!("the next backup: {}", told.words())
    });
    bad.unless(case.down().is_empty(), call, || {
        format!("the next backup left {:?}", case.down())
    });
    bad.unless(case.world.claim(PLATFORM).is_none(), call, || {
        "the next backup left a claim".into()
    });
}

#[tokio::test(start_paused = true)]
async fn healing_that_fails_at_any_call_is_done_by_the_next_run() {
    let (golden, mut bad) = (golden().await, Complaints::default());
    for (n, call) in golden.iter().enumerate() {
        let case = died_while_draining().await;
        case.world.faults.on_call(n + 1).fails();
        let told = case.world.backup().await;
        case.always(&told, call, &LEFT, &mut bad);
        let down = case.down();
        let accounted = case.world.claim(PLATFORM).is_some() || down == told.degraded();
        bad.unless(down.is_empty() || accounted, call, || {
            format!("{down:?} is down, and nobody knows: {}", told.words())
        });
        if down.is_empty() || case.world.claim(PLATFORM).is_some() {
            the_next_heals(&case, call, &mut bad).await;
        }
    }
    bad.assert_none(golden.len());
}

#[tokio::test(start_paused = true)]
async fn healing_that_died_at_any_call_is_done_by_the_next_run() {
    let (golden, mut bad) = (golden().await, Complaints::default());
    for (n, call) in golden.iter().enumerate() {
        let case = died_while_draining().await;
        case.world.faults.on_call(n + 1).kills();
        assert!(case.world.faults.live(case.world.backup()).await.is_none(), "it lives");
        the_next_heals(&case, call, &mut bad).await;
    }
    bad.assert_none(golden.len());
}
