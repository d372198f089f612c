//! A container that uses more memory than it may.

use husk_tests::guest::Guest;
use serde_json::json;

use super::shell::Shell;

/// Enough for the shell, and few pages to fill.
const LIMIT: u64 = 10 << 20;

pub(crate) fn children_and_the_first_process(guest: &Guest) {
    guest.wait(async {
        let limits = json!({"memory": {"limit": LIMIT}});
        let mut shell = Shell::start(guest, limits).await.unwrap();
        let greed = "probe memory 64 </dev/null >/dev/null";
        let pod = shell.pod().clone();
        let id = shell.id().to_owned();
        let heard = async { pod.wait_oom(&id, 0).await.unwrap() };
        let (kills, said) = tokio::join!(heard, shell.ask(greed));
        assert_eq!(kills, 1);
        // The shell says so and goes on: nobody but the child was killed.
        assert_eq!(said.rsplit("; ").next(), Some("= 137"), "{said}");
        let stats = pod.stats(&id).await.unwrap().memory.unwrap();
        assert_eq!(stats.limit_bytes, Some(LIMIT));
        assert_eq!(stats.events["oom_kill"], 1, "{stats:?}");
        assert!(
            stats.events["max"] > 0 && stats.peak_bytes <= LIMIT,
            "{stats:?}"
        );
        assert_eq!(shell.ask("echo on").await, "on; = 0");
        shell.tell("exec probe memory 64").await;
        assert_eq!(pod.wait_oom(&id, 1).await.unwrap(), 2);
        let exit = shell.end().await;
        assert_eq!((exit.code, exit.oom_killed), (137, true));
        // It is told by its end, too, and a wait for more of a removed container ends.
        assert!(pod.wait_oom(&id, 2).await.is_err());
    });
}
