//! Whether a server keeps what it is given, by what it says of itself.

use crate::OpenError;

/// The oldest version whose scripts have flags.
const MAJOR_MIN: u32 = 7;

/// Reads the answer of `INFO` and refuses what does not fit.
pub(crate) fn check(server: &str, info: &str, relaxed: bool) -> Result<(), OpenError> {
    let server = server.to_owned();
    let found = field(info, "redis_version").to_owned();
    let major = found.split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < MAJOR_MIN) {
        return Err(OpenError::TooOld { server, found });
    }
    if field(info, "loading") == "1" {
        let reason = "it is loading its file; try again in a while".to_owned();
        return Err(OpenError::Server { server, reason });
    }
    if field(info, "role") == "slave" {
        return Err(OpenError::Replica { server });
    }
    if relaxed { Ok(()) } else { durable(server, info) }
}

fn durable(server: String, info: &str) -> Result<(), OpenError> {
    if field(info, "aof_enabled") != "1" {
        let found = "no".to_owned();
        return Err(OpenError::NotDurable { server, setting: "appendonly", found, wanted: "yes" });
    }
    match field(info, "maxmemory_policy") {
        "noeviction" => Ok(()),
        policy => Err(OpenError::NotDurable {
            server,
            setting: "maxmemory-policy",
            found: policy.to_owned(),
            wanted: "noeviction",
        }),
    }
}

fn field<'i>(info: &'i str, name: &str) -> &'i str {
    let lines = info.lines().filter_map(|line| line.split_once(':'));
    lines.filter(|(found, _)| *found == name).map(|(_, value)| value.trim()).next().unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# Server\r\nredis_version:7.0.15\r\nloading:0\r\naof_enabled:1\r\n\
                        maxmemory_policy:noeviction\r\nrole:master\r\n";

    #[test]
    fn a_server_that_may_lose_is_refused_with_the_command_that_mends_it() {
        assert!(check("s", GOOD, false).is_ok());
        let cases = [
            ("7.0.15", "6.2.1", "needs 7.0 or newer", true),
            ("loading:0", "loading:1", "loading its file", true),
            ("role:master", "role:slave", "name its primary", true),
            ("aof_enabled:1", "aof_enabled:0", "CONFIG SET appendonly yes", false),
            (":noeviction", ":allkeys-lru", "CONFIG SET maxmemory-policy noeviction", false),
        ];
        for (good, bad, told, always) in cases {
            let info = GOOD.replace(good, bad);
            let error = check("s", &info, false).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
            assert_eq!(check("s", &info, true).is_err(), always, "{bad} with relaxed durability");
        }
        assert!(check("s", "", true).is_err(), "what says nothing of itself is no Redis");
    }
}
