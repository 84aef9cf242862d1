//! Redis over TLS, as a user of its access control list.

use std::process::{Child, Command, Stdio};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

use crate::support::{Recorder, Setup, eventually};

/// A server that speaks TLS only, and knows one user.
struct TlsRedis {
    port: u16,
    directory: TempDir,
    child: Child,
}

const PASSWORD: &str = "hunter2";

impl TlsRedis {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let mut ca = CertificateParams::new(Vec::<String>::new()).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let own = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
        let acl = format!("user wfh on >{PASSWORD} ~* &* +@all\nuser default off\n");
        std::fs::write(path("users.acl"), acl).unwrap();
        for (name, text) in
            [("ca.pem", issuer.pem()), ("own.pem", own.pem()), ("own.key", key.serialize_pem())]
        {
            std::fs::write(path(name), text).unwrap();
        }
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut child = Command::new("redis-server")
            .args(["--port", "0", "--tls-port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--tls-auth-clients", "no", "--appendonly", "yes", "--appendfsync", "always"])
            .args(["--save", "", "--aclfile"])
            .arg(path("users.acl"))
            .arg("--tls-cert-file")
            .arg(path("own.pem"))
            .arg("--tls-key-file")
            .arg(path("own.key"))
            .arg("--tls-ca-cert-file")
            .arg(path("ca.pem"))
            .arg("--dir")
            .arg(directory.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("redis-server cannot be started ({error}); type: scripts/setup")
            });
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(child.try_wait().unwrap().is_none(), "redis-server ended; has it TLS?");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        Self { port, directory, child }
    }

    fn setup(&self, recorder: &Recorder, password: &str, trusted: bool) -> Setup {
        let url = format!("rediss://wfh:{password}@localhost:{}", self.port);
        let settings =
            format!("{}\nenv = {{ RECORD = \"{}\" }}", recorder.grant(), recorder.url(""));
        let setup = Setup::new()
            .function("work", "worker", &settings)
            .route("/later", "work", "mode = \"async\"")
            .toml(&format!("[store]\nkind = \"redis\"\nurl = \"{url}\""))
            .toml(&format!(
                "[[trigger.redis]]\nurl = \"{url}\"\nstream = \"jobs\"\ntarget = \"function:work\""
            ));
        match trusted {
            true => {
                setup.env("SSL_CERT_FILE", self.directory.path().join("ca.pem").to_str().unwrap())
            }
            false => setup,
        }
    }
}

impl Drop for TlsRedis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_store_and_a_trigger_work_over_tls_with_a_user() {
    let (redis, recorder) = (TlsRedis::start(), Recorder::start().await);
    let host = redis.setup(&recorder, PASSWORD, true).serve().await;
    assert_eq!(host.send("POST", "/later", &[], "{}").await.status, 202);
    eventually("it runs", async || recorder.effects().len() == 1).await;
    eventually("the trigger is bound", async || {
        host.admin_json("/readyz").await["status"] == "ready"
    })
    .await;
}

#[tokio::test]
async fn a_wrong_password_or_authority_stops_the_start_and_is_not_told() {
    let (redis, recorder) = (TlsRedis::start(), Recorder::start().await);
    for (password, trusted) in [("wrong-secret", true), (PASSWORD, false)] {
        let ended = redis.setup(&recorder, password, trusted).serve_refused().await;
        assert!(ended.stderr.contains("WFH-1051"), "{}", ended.stderr);
        assert!(!ended.stderr.contains(password), "a password was told: {}", ended.stderr);
    }
}
