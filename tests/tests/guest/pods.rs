//! Three containers of one pod: two share everything, the third has processes and messages of its own.

use husk_sandbox::agent::{NewProcess, ProcessId, Reach, Shared, StreamKind, Streams};
use husk_tests::guest::{Guest, default_spec};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
};

use crate::confinement::metrics;

/// As many at once. A hundred do the same in the agent's test `hundred_execs_at_once_end_as_they_should_and_none_is_left`, where the
/// kernel's part costs nothing: here each of them is 1.2 million interpreted instructions.
const EXECS: u8 = 20;
const SIGTERM: u32 = 15;
const ALL: Shared = Shared {
    net: true,
    ipc: true,
    uts: true,
    pid: true,
};

/// A container of the pod that has said that it is up.
struct Member {
    process: ProcessId,
    stdin: UnixStream,
    stdout: UnixStream,
}

async fn member(guest: &Guest, hostname: Option<&str>, script: &str, shared: Shared) -> Member {
    let id = guest.fresh_id();
    let mut spec = default_spec(&["/bin/sh", "-c", script]);
    spec.set_hostname(hostname.map(str::to_owned));
    let process = guest.create_sharing(&id, &spec, shared).await.unwrap();
    let pod = guest.pod();
    let stdin = pod.stream(&process, StreamKind::Stdin).await.unwrap();
    let mut stdout = pod.stream(&process, StreamKind::Stdout).await.unwrap();
    pod.start(&id).await.unwrap();
    let mut up = [0; 3];
    stdout.read_exact(&mut up).await.unwrap();
    assert_eq!(&up, b"up\n");
    Member {
        process,
        stdin,
        stdout,
    }
}

impl Member {
    /// The rest of what it writes, its end's code, and its removal.
    async fn end(mut self, guest: &Guest) -> (String, u8) {
        let mut text = String::new();
        self.stdout.read_to_string(&mut text).await.unwrap();
        let exit = guest.pod().wait(&self.process).await.unwrap();
        guest.pod().delete(&self.process).await.unwrap();
        (text, exit.code)
    }
}

/// R52 (net, ipc, uts and pid), R61, R44 (siblings are seen only where that is asked for).
pub(super) fn share(guest: &Guest) {
    let before = metrics(guest).instructions;
    // It answers on the loopback of all three, and ends when its input does.
    // The queue is of the ipc namespace, like every System V or POSIX name.
    let script = "touch /dev/mqueue/ours; echo up; nc -l -p 7000 -e echo over loopback; exec cat";
    let first = guest.wait(member(guest, Some("one-pod"), script, ALL));
    let middle = metrics(guest).instructions;
    // The orphan ends while nobody but process 1 could reap it.
    let script = "echo up; hostname; ls /dev/mqueue; until nc 127.0.0.1 7000 2>/dev/null; do :; done; \
                  cat /proc/1/comm; until pidof cat >/dev/null; do :; done; (sleep 0 & echo $! >/tmp/orphan); \
                  while test -e /proc/$(cat /tmp/orphan); do :; done; \
                  sleep 100000 & trap 'exit 6' TERM; echo set; while :; do read -r x; done";
    let second = guest.wait(member(guest, None, script, ALL));
    let after = metrics(guest).instructions;
    println!(
        "{} instructions to the first container of a pod, {} to the second",
        middle - before,
        after - middle
    );
    assert!(after - middle < middle - before);
    guest.wait(async {
        let pod = guest.pod();
        let Member {
            process,
            mut stdin,
            mut stdout,
        } = second;
        let expected = "one-pod\nours\nover loopback\nhusk-init\nset\n";
        let mut seen = vec![0; expected.len()];
        stdout.read_exact(&mut seen).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&seen), expected);
        // Many at once in the neighbour, which neither this one's standstill (R61) nor its end touches.
        pod.pause(&process.container).await.unwrap();
        execs(guest, &first.process).await;
        pod.resume(&process.container).await.unwrap();
        pod.signal(&process, SIGTERM, Reach::One).await.unwrap();
        stdin.write_all(b"wake up\n").await.unwrap();
        let second = Member {
            process,
            stdin,
            stdout,
        };
        assert_eq!(second.end(guest).await, (String::new(), 6));
        let apart = Shared {
            pid: false,
            ipc: false,
            ..ALL
        };
        let third = member(
            guest,
            None,
            "echo up; hostname; ls /dev/mqueue; pidof cat | wc -w; echo $$",
            apart,
        );
        let third = third.await.end(guest).await;
        assert_eq!(third, ("one-pod\n0\n1\n".to_owned(), 0));
        let mut first = first;
        first.stdin.shutdown().await.unwrap();
        assert_eq!(first.end(guest).await, (String::new(), 0));
    });
}

async fn execs(guest: &Guest, container: &ProcessId) {
    let process_json = |code: u8| {
        let spec = default_spec(&["/bin/sh", "-c", &format!("exit {code}")]);
        serde_json::to_vec(spec.process().as_ref().unwrap()).unwrap()
    };
    let mut running = tokio::task::JoinSet::new();
    for code in 0..EXECS {
        let (pod, process_json) = (guest.pod().clone(), process_json(code));
        let id = ProcessId {
            container: container.container.clone(),
            exec: format!("e{code}"),
        };
        running.spawn(async move {
            let process = NewProcess {
                id: id.clone(),
                process_json,
                streams: Streams::default(),
                user: String::new(),
            };
            pod.exec(process).await.unwrap();
            assert_eq!(pod.wait(&id).await.unwrap().code, code);
            pod.delete(&id).await.unwrap();
        });
    }
    while let Some(done) = running.join_next().await {
        done.unwrap();
    }
}
