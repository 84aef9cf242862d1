use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::memory::MemoryStore;
use crate::{Append, Claim, Expect, Key, Kv, ManualClock, Op, Queue, QueueKey};

const NOW_MS: u64 = 1_000_000;

fn store() -> MemoryStore {
    MemoryStore::new(Arc::new(ManualClock::new(NOW_MS)))
}

fn queue() -> QueueKey {
    QueueKey::new("q").unwrap()
}

async fn filled() -> MemoryStore {
    let store = store();
    let mut ops: Vec<Op> = (0..40_u8)
        .map(|number| Op::Put {
            key: Key::new(&format!("key/{number:02}")).unwrap(),
            bytes: vec![number, 0, 255].into(),
            expect: Expect::Any,
            ttl: (number == 7).then_some(Duration::from_secs(60)),
        })
        .collect();
    let grouped = |id: &str| Append { group: Some("g".into()), ..Append::new(queue(), id, "body") };
    let late = Append {
        delay: Duration::from_secs(30),
        state: "state".into(),
        ..Append::new(queue(), "late", "")
    };
    ops.extend([grouped("first"), grouped("second"), late].map(Op::Append));
    store.commit(ops).await.unwrap();
    let visibility = Duration::from_secs(5);
    let claim = Claim { entries_max: 1, bytes_max: 1, visibility };
    assert_eq!(store.claim(queue(), claim).await.unwrap().len(), 1);
    store
}

async fn check(store: &MemoryStore) {
    let values = store.list("", None, 100).await.unwrap();
    assert_eq!(values.len(), 40, "every value is there");
    assert_eq!(values[7].1.expires_at_ms, Some(NOW_MS + 60_000), "a time to live is kept");
    assert_eq!(values[39].1.bytes, vec![39, 0, 255]);
    let entries = store.peek(queue(), None, 100).await.unwrap();
    let seen: Vec<_> =
        entries.iter().map(|e| (e.id.as_str(), e.group.as_deref(), e.due_at_ms - NOW_MS)).collect();
    let wanted = [("first", Some("g"), 5_000), ("second", Some("g"), 0), ("late", None, 30_000)];
    assert_eq!(seen, wanted, "order, groups, delays and what is left of leases are kept");
    assert_eq!(entries[2].state, "state");
}

#[tokio::test]
async fn an_export_is_imported_whole() {
    let (from, to) = (filled().await, store());
    let mut lines = Vec::new();
    let moved = export(&from, NOW_MS, &mut lines).await.unwrap();
    assert_eq!((moved.values, moved.entries), (40, 3));
    assert_eq!(import(&to, NOW_MS, &lines[..]).await.unwrap(), moved);
    check(&to).await;
    let again = import(&to, NOW_MS, &lines[..]).await;
    assert!(matches!(again, Err(TransferError::NotEmpty(_))), "{again:?}");
    let late = import(&store(), NOW_MS + 60_000, &lines[..]).await.unwrap();
    assert_eq!((late.values, late.expired), (39, 1), "what is over is left out");
}

#[tokio::test]
async fn a_store_migrates_into_another() {
    let (from, to) = (filled().await, store());
    let moved = migrate(&from, &to, NOW_MS).await.unwrap();
    assert_eq!((moved.values, moved.entries), (40, 3));
    check(&to).await;
}

#[tokio::test]
async fn a_line_that_is_wrong_is_named() {
    let header = r#"{"wfh_store":1,"exported_at_ms":0}"#;
    let cases = [
        ("", "line 1: an export begins with"),
        ("{}", "line 1: an export begins with"),
        (r#"{"wfh_store":9,"exported_at_ms":0}"#, "line 1: an export of version 9"),
        (&format!("{header}\n{{\"value\":{{\"key\":\"a\"}}}}"), "line 2: no record"),
        (
            &format!("{header}\n{{\"value\":{{\"key\":\"a\",\"bytes\":\"?\"}}}}"),
            "line 2: no record",
        ),
        (&format!("{header}\n{{\"value\":{{\"key\":\"\",\"bytes\":\"\"}}}}"), "line 2: a name in"),
        (&format!("{header}\nnonsense"), "line 2: no record"),
    ];
    for (text, wanted) in cases {
        let error = import(&store(), NOW_MS, text.as_bytes()).await.unwrap_err().to_string();
        assert!(error.starts_with(wanted), "{text:?} gives {error:?}");
    }
}
