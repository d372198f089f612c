//! What a process in a container sees, and what is heard of its end.

use husk_sandbox::{
    agent::{NewProcess, ProcessId, Reach, Refusal, StreamKind, Streams},
    pod::PodError,
};
use husk_tests::guest::{Guest, default_spec};
use oci_spec::runtime::UserBuilder;
use tokio::io::AsyncReadExt as _;

const SIGKILL: u32 = 9;
const SIGTERM: u32 = 15;

pub(super) fn exit_codes(guest: &Guest) {
    // Small ones are everywhere in these checks.
    let outcome = guest.sh("exit 255").unwrap();
    assert_eq!(outcome.exit.code, 255, "{outcome:?}");
    // Pid 1 of a pid namespace is immune to its own signals.
    let outcome = guest.sh("kill -9 $$; exit 3").unwrap();
    assert_eq!(outcome.exit.code, 3, "{outcome:?}");
    let outcome = guest.sh("sh -c 'kill -SEGV $$'; exit $?").unwrap();
    assert_eq!(outcome.exit.code, 139, "{outcome:?}");
}

pub(super) fn bad_commands(guest: &Guest) {
    let missing = guest.run(&["no-such-command"], b"", |_| ()).unwrap_err();
    assert_eq!(
        missing.refusal(),
        Some(Refusal::CommandNotFound),
        "{missing}"
    );
    assert!(
        missing
            .to_string()
            .contains("\"no-such-command\": executable file not found in $PATH"),
        "{missing}"
    );
    let plain = guest.run(&["/etc/plain"], b"", |_| ()).unwrap_err();
    assert_eq!(
        plain.refusal(),
        Some(Refusal::CommandNotExecutable),
        "{plain}"
    );
    let nowhere = guest.run(&["true"], b"", |spec| {
        spec.process_mut()
            .as_mut()
            .unwrap()
            .set_cwd("/etc/plain".into());
    });
    assert!(nowhere.unwrap_err().to_string().contains("/etc/plain"));
}

pub(super) fn process_fields(guest: &Guest) {
    let outcome = guest
        .run(
            &[
                "/bin/sh",
                "-c",
                "echo $COLOUR; pwd; id -u; id -g; hostname; umask",
            ],
            b"",
            |spec| {
                spec.set_hostname(Some("shell".to_owned()));
                let process = spec.process_mut().as_mut().unwrap();
                process.set_env(Some(vec![
                    "PATH=/bin".to_owned(),
                    "COLOUR=red blue".to_owned(),
                ]));
                process.set_cwd("/home/ann".into());
                let user = UserBuilder::default()
                    .uid(1001_u32)
                    .gid(1002_u32)
                    .umask(0o27_u32)
                    .build()
                    .unwrap();
                process.set_user(user);
            },
        )
        .unwrap();
    assert_eq!(
        outcome.text(),
        "red blue\n/home/ann\n1001\n1002\nshell\n0027\n",
        "{outcome:?}"
    );
}

pub(super) fn pid_namespace(guest: &Guest) {
    let outcome = guest
        .sh("echo $$; ls /proc | grep -c '^[0-9]'; uname -r")
        .unwrap();
    let text = outcome.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "1");
    // The shell, ls and grep.
    assert!(lines[1].parse::<u32>().unwrap() <= 3, "{text}");
    assert!(lines[2].contains("husk"), "{text}");
}

/// A container that sleeps until it is killed, with one line of output when it is up.
async fn sleeper(guest: &Guest, script: &str) -> Result<ProcessId, PodError> {
    let id = guest.fresh_id();
    let process = guest
        .create(&id, &default_spec(&["/bin/sh", "-c", script]))
        .await?;
    let mut stdout = guest.pod().stream(&process, StreamKind::Stdout).await?;
    guest.pod().start(&id).await?;
    let mut up = [0; 3];
    stdout.read_exact(&mut up).await.unwrap();
    assert_eq!(&up, b"up\n");
    Ok(process)
}

/// `unshare` of a user namespace takes no capability: nothing but the filter of its container stops it (R72).
const EXECUTED: &str =
    "echo in $0 | sed s/in/out/; grep Seccomp: /proc/self/status; unshare -U true 2>&1; exit 9";

pub(super) fn exec(guest: &Guest) {
    let spec = default_spec(&["/bin/sh", "-c", EXECUTED]);
    let process_json = serde_json::to_vec(spec.process().as_ref().unwrap()).unwrap();
    guest.wait(async {
        let init = sleeper(guest, "echo up; exec sleep 100000").await.unwrap();
        let id = ProcessId {
            container: init.container.clone(),
            exec: "second".to_owned(),
        };
        let streams = Streams {
            stdin: false,
            stdout: true,
            stderr: false,
            terminal: None,
        };
        let process = NewProcess {
            id: id.clone(),
            process_json,
            streams,
            user: String::new(),
        };
        guest.pod().exec(process).await.unwrap();
        let mut stdout = guest.pod().stream(&id, StreamKind::Stdout).await.unwrap();
        let mut text = String::new();
        stdout.read_to_string(&mut text).await.unwrap();
        let filtered =
            "out /bin/sh\nSeccomp:\t2\nunshare: unshare(0x10000000): Operation not permitted\n";
        assert_eq!(text, filtered);
        assert_eq!(guest.pod().wait(&id).await.unwrap().code, 9);
        guest.pod().delete(&id).await.unwrap();
        guest
            .pod()
            .signal(&init, SIGKILL, Reach::All)
            .await
            .unwrap();
        assert_eq!(guest.pod().wait(&init).await.unwrap().code, 137);
        guest.pod().delete(&init).await.unwrap();
        guest.pod().delete(&init).await.unwrap();
    });
}

pub(super) fn kill(guest: &Guest) {
    guest.wait(async {
        let init = sleeper(
            guest,
            "trap 'exit 42' TERM; echo up; while :; do sleep 1; done",
        )
        .await
        .unwrap();
        guest
            .pod()
            .signal(&init, SIGTERM, Reach::One)
            .await
            .unwrap();
        let first = guest.pod().wait(&init).await.unwrap();
        assert_eq!(first.code, 42);
        // A second wait gives the same (R24).
        assert_eq!(guest.pod().wait(&init).await.unwrap().code, 42);
        assert!(
            guest
                .pod()
                .signal(&ProcessId::init("nobody"), SIGTERM, Reach::One)
                .await
                .is_err()
        );
        guest.pod().delete(&init).await.unwrap();
    });
}

pub(super) fn scratch_limit(guest: &Guest) {
    let outcome = guest
        .sh("fallocate -l 64M /small && echo fits; fallocate -l 2G /large || echo full")
        .unwrap();
    assert_eq!(outcome.text(), "fits\nfull\n", "{outcome:?}");
    assert!(
        String::from_utf8_lossy(&outcome.stderr).contains("No space left on device"),
        "{outcome:?}"
    );
}
