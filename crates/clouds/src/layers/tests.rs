//! The layers with time standing still: every wait is known to the millisecond.

#![expect(clippy::cast_precision_loss, reason = "small counts")]

use std::sync::{
    Mutex,
    atomic::{AtomicU32, Ordering},
};

use proptest::prelude::*;

use super::*;

const SITE: CallSite<'static> =
    CallSite { cloud: "test", service: "ec2", operation: "DescribeThings", region: Some("r-1") };

fn error(kind: ErrorKind) -> CloudError {
    let mut error = CloudError::new("test", "DescribeThings", kind, "no");
    error.code = Some("No".to_owned());
    error
}

/// Layers whose jitter is always the whole wait.
fn steady(policy: Policy) -> Layers {
    Layers::with_dice(policy, Dice::loaded(|| 1.0))
}

/// Runs a call whose attempts fail as told and then succeed; says how often it was tried and how long it took.
async fn run(layers: &Layers, failures: Vec<CloudError>) -> (Result<u32, CloudError>, u32, Duration) {
    let failures = Mutex::new(failures.into_iter());
    let attempts = AtomicU32::new(0);
    let started = Instant::now();
    let result = layers
        .call(SITE, || {
            let number = attempts.fetch_add(1, Ordering::Relaxed) + 1;
            let failure = failures.lock().unwrap().next();
            async move { failure.map_or(Ok(number), Err) }
        })
        .await;
    (result, attempts.load(Ordering::Relaxed), started.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_passing_failure_is_tried_again_after_doubling_waits() {
    let layers = steady(Policy::default());
    let failures = (0..3).map(|_| error(ErrorKind::Unavailable)).collect();
    let (result, attempts, took) = run(&layers, failures).await;
    assert_eq!(result.unwrap(), 4);
    assert_eq!(attempts, 4);
    assert_eq!(took, Duration::from_millis(200 + 400 + 800));
}

#[tokio::test(start_paused = true)]
async fn what_a_retry_cannot_help_is_not_tried_again() {
    for kind in
        [ErrorKind::Unauthenticated, ErrorKind::PermissionDenied, ErrorKind::NotFound, ErrorKind::Invalid]
    {
        let (result, attempts, took) = run(&steady(Policy::default()), vec![error(kind)]).await;
        assert_eq!((result.unwrap_err().kind, attempts, took), (kind, 1, Duration::ZERO));
    }
}

#[tokio::test(start_paused = true)]
async fn the_clouds_own_wait_is_kept() {
    let mut asked = error(ErrorKind::Unavailable);
    asked.retry = Retry::After(Duration::from_secs(7));
    let (result, _, took) = run(&steady(Policy::default()), vec![asked]).await;
    assert_eq!(result.unwrap(), 2);
    assert_eq!(took, Duration::from_millis(7_200));
}

#[tokio::test(start_paused = true)]
async fn a_wait_longer_than_the_call_may_take_is_not_begun() {
    let mut asked = error(ErrorKind::Throttled);
    asked.retry = Retry::After(Duration::from_hours(1));
    let (result, attempts, took) = run(&steady(Policy::default()), vec![asked]).await;
    assert_eq!((result.unwrap_err().kind, attempts, took), (ErrorKind::Throttled, 1, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_hanging_attempt_ends_in_time_and_is_tried_again() {
    let policy = Policy { attempt_timeout: Duration::from_secs(5), ..Policy::default() };
    let layers = steady(policy);
    let attempts = AtomicU32::new(0);
    let started = Instant::now();
    let result = layers
        .call(SITE, || {
            let first = attempts.fetch_add(1, Ordering::Relaxed) == 0;
            async move {
                if first {
                    std::future::pending::<()>().await;
                }
                Ok(())
            }
        })
        .await;
    result.unwrap();
    assert_eq!(started.elapsed(), Duration::from_millis(5_200));
}

#[tokio::test(start_paused = true)]
async fn a_call_ends_by_its_deadline_however_often_it_hangs() {
    let policy = Policy { call_timeout: Duration::from_mins(1), ..Policy::default() };
    let started = Instant::now();
    let result: Result<(), _> = steady(policy).call(SITE, std::future::pending).await;
    assert_eq!(result.unwrap_err().kind, ErrorKind::Timeout);
    assert!(started.elapsed() <= Duration::from_mins(1), "took {:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_empty_budget_ends_the_retries_of_all_calls() {
    let budget = BudgetPolicy { capacity: 12, retry_cost: 5, timeout_cost: 10 };
    let layers = steady(Policy { budget, ..Policy::default() });
    let endless = || (0..20).map(|_| error(ErrorKind::Unavailable)).collect();
    assert_eq!(run(&layers, endless()).await.1, 3, "two retries for twelve tokens");
    assert_eq!(run(&layers, endless()).await.1, 1, "none left");
    for _ in 0..3 {
        run(&layers, vec![]).await.0.unwrap();
    }
    assert_eq!(run(&layers, endless()).await.1, 2, "three successes pay for one more");
}

#[tokio::test(start_paused = true)]
async fn throttled_attempts_are_counted_and_slow_the_place_only() {
    let layers = steady(Policy::default());
    let tally = Tally::default();
    let attempts = AtomicU32::new(0);
    layers
        .call_counted(SITE, &tally, || {
            let number = attempts.fetch_add(1, Ordering::Relaxed);
            async move { if number < 2 { Err(error(ErrorKind::Throttled)) } else { Ok(()) } }
        })
        .await
        .unwrap();
    assert_eq!(tally.take_throttled(), 2);
    assert_eq!(tally.take_throttled(), 0);
    assert!(layers.shared.throttles.of("ec2", Some("r-1")).rate().is_some());
    assert!(layers.shared.throttles.of("ec2", Some("r-2")).rate().is_none());
    assert!(layers.shared.throttles.of("rds", Some("r-1")).rate().is_none());
}

#[tokio::test(start_paused = true)]
async fn errors_say_where_and_hold_no_secret() {
    let layers = steady(Policy::default());
    layers.redactor().hide("wJalrXUtnFEMI");
    let mut failure = error(ErrorKind::Unauthenticated);
    failure.message = format!("token wJalrXUtnFEMI is {}", "long ".repeat(200));
    failure.source = Some("the canonical string was wJalrXUtnFEMI".into());
    let shown = run(&layers, vec![failure]).await.0.unwrap_err();
    assert_eq!(shown.operation, "ec2:DescribeThings");
    assert_eq!(shown.region.as_deref(), Some("r-1"));
    assert!(shown.message.starts_with("token [redacted] is long"), "{}", shown.message);
    assert!(shown.message.chars().count() <= 301);
    assert!(!format!("{shown:?}").contains("wJalrXUtnFEMI"));
}

#[test]
fn passing_secrets_are_forgotten_oldest_first_and_lasting_ones_never() {
    let redactor = Redactor::default();
    redactor.hide("lasting-secret");
    for number in 0..20 {
        redactor.hide_for_a_while(&format!("session-{number:02}"));
    }
    assert_eq!(redactor.clean("lasting-secret session-00 session-19"), "[redacted] session-00 [redacted]");
}

#[tokio::test(start_paused = true)]
async fn one_burst_of_throttling_cuts_the_rate_once() {
    let throttle = Throttle::new(ThrottlePolicy::default(), Instant::now());
    let burst = Instant::now();
    for _ in 0..50 {
        throttle.reserve(burst);
    }
    let answered = burst + Duration::from_millis(100);
    for _ in 0..50 {
        throttle.throttled(burst, answered);
    }
    assert!((throttle.rate().unwrap() - 70.0).abs() < 1e-9, "fifty calls in half a second, cut once");
}

proptest! {
    #[test]
    fn a_wait_never_exceeds_its_doubled_limit(number in 1_u32..80, roll in 0.0_f64..1.0) {
        let backoff = Backoff::default();
        let wait = backoff.wait(number, roll);
        let limit = 0.2 * 2_f64.powi(i32::try_from(number - 1).unwrap());
        prop_assert!(wait.as_secs_f64() <= limit.min(20.0) + 1e-9);
        prop_assert!(wait <= backoff.wait(number, 1.0));
        prop_assert!(backoff.wait(number, 1.0) <= backoff.wait(number + 1, 1.0));
    }

    #[test]
    fn jitter_reaches_the_whole_range(number in 1_u32..40, low in 0.0_f64..0.5) {
        let backoff = Backoff::default();
        prop_assert!(backoff.wait(number, low) <= backoff.wait(number, low + 0.5));
        prop_assert_eq!(backoff.wait(number, 0.0), Duration::ZERO);
    }

    #[test]
    fn the_rate_stays_between_its_bounds(steps in proptest::collection::vec((0_u64..3_000, any::<bool>()), 1..200)) {
        let policy = ThrottlePolicy::default();
        let mut now = Instant::now();
        let throttle = Throttle::new(policy, now);
        for (millis, throttled) in steps {
            now += Duration::from_millis(millis);
            let before = throttle.rate();
            let sent = now;
            throttle.reserve(now);
            now += Duration::from_millis(1);
            if throttled { throttle.throttled(sent, now) } else { throttle.answered(now) }
            if let Some(rate) = throttle.rate() {
                prop_assert!(rate >= policy.slowest && rate.is_finite());
                if let (true, Some(before)) = (throttled, before) {
                    prop_assert!(rate <= before + 1e-9, "throttled, and faster: {before} → {rate}");
                }
            }
        }
    }

    #[test]
    fn after_a_cut_the_rate_climbs_and_comes_back(plateau in 1.0_f64..5_000.0) {
        let policy = ThrottlePolicy::default();
        let at = |seconds: f64| policy.curve(plateau, Duration::from_secs_f64(seconds));
        prop_assert!((at(0.0) - plateau * policy.cut).abs() < 1e-6 * plateau);
        let back = (plateau * (1.0 - policy.cut) / policy.scale).cbrt();
        prop_assert!((at(back) - plateau).abs() < 1e-6 * plateau);
        for step in 0..20 {
            prop_assert!(at(f64::from(step)) <= at(f64::from(step) + 1.0));
        }
    }

    #[test]
    fn turns_never_come_faster_than_the_rate(callers in 2_usize..60) {
        let mut now = Instant::now();
        let throttle = Throttle::new(ThrottlePolicy::default(), now);
        for _ in 0..20 { throttle.reserve(now); }
        throttle.throttled(now, now + Duration::from_millis(1));
        now += Duration::from_millis(1);
        let rate = throttle.rate().unwrap();
        let waits: Vec<_> = (0..callers).map(|_| throttle.reserve(now).as_secs_f64()).collect();
        for (place, wait) in waits.iter().enumerate() {
            prop_assert!(*wait >= (place as f64) / rate - 1e-6, "turn {place} after {wait} s at {rate}/s");
        }
        prop_assert!(waits.windows(2).all(|pair| pair[0] <= pair[1]), "in the order of asking");
    }
}
