//! An owner's door, over a pod whose machine and agent are played.

use std::{
    fs,
    io::{Read, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::PathBuf,
    sync::Arc,
};

use tokio::{sync::Mutex, task::spawn_blocking};

use super::fixture::about;
use crate::{
    engine::{Client, Door, ExecCall, Found, Papers, Phase, Served, State, find, open_door},
    pod::{
        Keep,
        peers::{Played, REFUSED, container, play},
    },
    spec::Spec,
};

struct Open {
    played: Played,
    door: Door,
    papers: Arc<Mutex<Papers>>,
}

async fn open() -> Open {
    let played = play().await;
    played.pod.ready().await.unwrap();
    played.pod.create(container("played")).await.unwrap();
    played.pod.start("played").await.unwrap();
    let dir = played.run.path().join("played");
    let mut papers = Papers::begin(&dir, &about("0123456789ab")).unwrap();
    papers
        .change(|status| status.phase = Phase::Running)
        .unwrap();
    let papers = Arc::new(Mutex::new(papers));
    let served = Served::new(
        played.pod.clone(),
        "played",
        Spec::default(),
        Arc::clone(&papers),
    );
    let door = open_door(&dir, served).unwrap();
    Open {
        played,
        door,
        papers,
    }
}

impl Open {
    fn found(&self) -> Found {
        find(self.played.run.path(), "played").unwrap()
    }

    fn client(&self) -> Client {
        Client::new(&self.found())
    }

    fn socket(&self) -> PathBuf {
        self.played.run.path().join("played/husk.sock")
    }

    async fn end(self) {
        self.played.pod.end().await.unwrap();
        self.door.close().await;
    }
}

#[tokio::test]
async fn stop_signals_and_everyone_who_waits_hears_the_code() {
    let open = open().await;
    assert_eq!(open.found().state, State::Running);
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let client = open.client();
            tokio::spawn(async move { client.wait().await })
        })
        .collect();
    open.client().stop(15, Some(3600)).await.unwrap();
    for wait in waiting {
        assert_eq!(wait.await.unwrap().unwrap().code, 42);
    }
    open.end().await;
}

#[tokio::test]
async fn stop_whose_signal_is_refused_says_so_and_kills_nothing() {
    let open = open().await;
    let client = open.client();
    tokio::time::pause();
    let error = client.stop(REFUSED, Some(3600)).await.unwrap_err();
    tokio::time::resume();
    assert!(error.to_string().contains("signal played: no"), "{error}");
    assert_eq!(open.found().state, State::Running);
    open.end().await;
}

#[tokio::test]
async fn removal_ends_the_machine_and_nothing_stays_although_it_was_kept() {
    let open = open().await;
    open.played.pod.keep(Keep::Papers).await.unwrap();
    open.client().remove().await.unwrap();
    assert!(!open.played.run.path().join("played").exists());
    // The owner's last words find no papers, and no other pod's.
    assert!(open.papers.lock().await.change(|_| ()).is_err());
    open.door.close().await;
}

#[tokio::test]
async fn kept_pod_keeps_papers_and_loses_its_sockets() {
    let open = open().await;
    open.played.pod.keep(Keep::Papers).await.unwrap();
    open.papers
        .lock()
        .await
        .change(|status| status.phase = Phase::Exited)
        .unwrap();
    let run = open.played.run.path().to_owned();
    open.played.pod.end().await.unwrap();
    let mut names: Vec<_> = fs::read_dir(run.join("played"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["container.json", "record.json", "status.json"]);
    assert_eq!(find(&run, "played").unwrap().state, State::Exited);
    open.door.close().await;
}

#[tokio::test]
async fn hostile_clients_are_told_no_and_the_next_one_is_served() {
    let open = open().await;
    let mode = fs::metadata(open.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    for bytes in [
        &b"\xff\xff\xff\xff"[..],
        b"\x03\0\0\0{]}",
        b"GET / HTTP/1.0\r\n\r\n",
        b"\x10\0\0\0{",
    ] {
        let socket = open.socket();
        let answer = spawn_blocking(move || {
            let mut stream = UnixStream::connect(socket).unwrap();
            stream.write_all(bytes).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            let mut answer = Vec::new();
            // What it did not read of us makes the end a reset.
            stream.read_to_end(&mut answer).ok();
            String::from_utf8_lossy(&answer).into_owned()
        });
        let answer = answer.await.unwrap();
        assert!(
            answer.contains(r#""refusal":"malformed""#),
            "{bytes:?}: {answer}"
        );
    }
    // One that says nothing holds up nobody.
    let _silent = UnixStream::connect(open.socket()).unwrap();
    let error = open.client().signal(None, 0).await.unwrap_err();
    assert_eq!(error.to_string(), "signal 0 is not between 1 and 64");
    let error = open
        .client()
        .signal(Some("exec-9".to_owned()), 15)
        .await
        .unwrap_err();
    assert_eq!(error.exit_code(), Some(1), "{error}");
    let error = open.client().unpause().await.unwrap_err();
    assert_eq!(error.to_string(), "container is running: cannot unpause it");
    open.end().await;
}

#[tokio::test]
async fn client_of_an_owner_that_is_gone_is_told_so() {
    let open = open().await;
    let client = open.client();
    open.end().await;
    let error = client.wait().await.unwrap_err();
    assert_eq!(error.exit_code(), Some(1), "{error}");
}

/// A listener that takes connections and never says anything. The clock stands still but when everybody waits.
#[tokio::test]
async fn owner_that_hangs_ends_every_call_with_its_name() {
    let open = open().await;
    let found = open.found();
    open.end().await;
    let _ = fs::remove_file(found.dir.join("husk.sock"));
    fs::create_dir_all(&found.dir).unwrap();
    let _hung = tokio::net::UnixListener::bind(found.dir.join("husk.sock")).unwrap();
    tokio::time::pause();
    let client = Client::new(&found);
    let calls = [
        client.stop(15, Some(1)).await.unwrap_err(),
        client.signal(None, 9).await.unwrap_err(),
        client.stats().await.unwrap_err(),
        client.pause().await.unwrap_err(),
        client.exec(ExecCall::default()).await.unwrap_err(),
        client.wait().await.unwrap_err(),
    ];
    for error in calls {
        assert_eq!(
            error.to_string(),
            "container played is with an owner that has not answered for 30 s: cannot ask it"
        );
    }
}
