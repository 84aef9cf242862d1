//! The console in Chromium: that it works, that it may do no more than it needs, that it can be read.

use crate::console::failing;
use crate::support::{Browser, Host, Setup, eventually};

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";

/// A host with a function that works, one that dies, and a dead letter.
async fn host(setup: Setup) -> Host {
    let host = failing(setup).toml("[queue.mail]").serve().await;
    host.get("/hello").await;
    host.send("POST", "/panic", &[], "{}").await;
    host
}

async fn has_died(host: &Host) {
    eventually("the event dies", async || host.dead_letters().await.len() == 1).await;
}

fn url(host: &Host, path: &str) -> String {
    format!("http://{}{path}", host.admin())
}

#[tokio::test]
async fn a_page_lives_opens_traces_and_redrives() {
    let (host, browser) = (host(Setup::new()).await, Browser::start().await);
    has_died(&host).await;
    browser.goto(&url(&host, "/")).await;
    // A page that is loaded again loses it.
    browser.run("window.isTheSamePage = true").await;
    let before = browser.text().await;
    assert!(before.contains("GET /hello") && !before.contains("GET /nowhere"), "{before}");
    for _ in 0..30 {
        host.get("/hello?again").await;
    }
    eventually("the rate comes by itself", async || {
        let rates = "return [...document.querySelectorAll('td.number')].map(td => td.innerText)";
        let rates = browser.run(rates).await.to_string();
        rates.contains(" ms") && browser.text().await.contains("hello\tready\t") && {
            let rate = "return parseFloat(document.querySelector('tbody tr td.number').innerText)";
            host.get("/hello").await;
            browser.run(rate).await.as_f64().unwrap() > 0.0
        }
    })
    .await;
    assert_eq!(browser.run("return window.isTheSamePage").await, true, "the page was loaded again");

    browser.click("a[href^='/console/traces/']").await;
    assert!(browser.path().await.starts_with("/console/traces/"));
    let bar = "const bar = document.querySelector('svg.bar .span').getBoundingClientRect();
               return bar.width > 0 && bar.height > 0";
    assert_eq!(browser.run(bar).await, true, "a span has no bar");
    assert!(browser.text().await.contains("faas.invocation_id"));
    browser.click("header a").await;
    assert_eq!(browser.path().await, "/");

    let letter = host.dead_letters().await.remove(0);
    browser.click("form[action$='/redrive'] button").await;
    assert_eq!(browser.path().await, "/");
    eventually("it died again", async || {
        let letters = host.dead_letters().await;
        letters.len() == 1 && letters[0]["dead_at"] != letter["dead_at"]
    })
    .await;
    let elsewhere = "return performance.getEntriesByType('resource').map(one => one.name)
                     .filter(name => !name.startsWith(location.origin) && !name.startsWith('data:'))";
    assert_eq!(browser.run(elsewhere).await.to_string(), "[]", "something comes from elsewhere");
    let complaints = browser.complaints().await;
    assert!(complaints.is_empty(), "the browser complains: {complaints:?}");
}

#[tokio::test]
async fn the_policy_stops_what_a_page_does_not_need() {
    let (host, browser) = (host(Setup::new()).await, Browser::start().await);
    browser.goto(&url(&host, "/")).await;
    browser
        .run(
            "const script = document.createElement('script');
             script.textContent = 'window.hasRun = true';
             document.body.append(script);
             document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">x</p>');
             document.body.insertAdjacentHTML('beforeend', '<img src=\"http://127.0.0.1:9/x\">');",
        )
        .await;
    assert!(browser.run("return window.hasRun").await.is_null(), "an inline script runs");
    let complaints = browser.complaints().await.join("\n");
    for directive in ["script-src", "style-src", "img-src"] {
        assert!(complaints.contains(directive), "{directive} stops nothing: {complaints}");
    }
}

#[tokio::test]
async fn a_person_signs_in_and_redrives_with_the_keyboard_alone() {
    let setup = Setup::new().toml("[admin]\ntoken = { env = \"WFH_TOKEN\" }");
    let (host, browser) = (host(setup.env("WFH_TOKEN", "sesame")).await, Browser::start().await);
    browser.goto(&url(&host, "/")).await;
    assert_eq!(browser.path().await, "/console/login");
    browser.types(&format!("sesame{ENTER}")).await;
    eventually("the overview comes", async || browser.path().await == "/").await;
    eventually("the letter is shown", async || browser.text().await.contains("Redrive")).await;
    let focused = "const one = document.activeElement;
        const outline = getComputedStyle(one).outlineStyle;
        return one.getAttribute('aria-label') + '|' + outline";
    let mut reached = String::new();
    for _ in 0..60 {
        browser.types(TAB).await;
        reached = browser.run(focused).await.as_str().unwrap().to_owned();
        if reached.starts_with("Send the dead letter") {
            break;
        }
    }
    assert_eq!(reached, "Send the dead letter of panic again|solid", "no key leads to the button");
    browser.types(ENTER).await;
    eventually("the audit knows of it", async || {
        let bearer = [("authorization", "Bearer sesame")];
        let audit = host.admin_send("GET", "/v1/audit", &bearer, "").await;
        audit.text().contains("redrive")
    })
    .await;
}

/// Each text against what is behind it, as WCAG 2.2 counts it (1.4.3: 4.5 to 1).
const FAINT: &str = r"
    const channels = color => (color.match(/[\d.]+/g) || []).map(Number);
    const linear = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    const luminance = ([r, g, b]) =>
        0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    const behind = one => {
        for (; one; one = one.parentElement) {
            const [r, g, b, alpha] = channels(getComputedStyle(one).backgroundColor);
            if (alpha === undefined || alpha > 0) return [r, g, b];
        }
        return [255, 255, 255];
    };
    const faint = [];
    for (const one of document.querySelectorAll('body *')) {
        if (![...one.childNodes].some(node => node.nodeType === 3 && node.data.trim())) continue;
        const pair = [luminance(channels(getComputedStyle(one).color)), luminance(behind(one))];
        const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
        if (ratio < 4.5) faint.push(`${one.tagName} ${one.innerText.slice(0, 30)}: ${ratio}`);
    }
    return faint";

/// Texts that are drawn over each other or over the edge, as far as they are seen.
const OVERLAPPING: &str = r"
    const seen = [], found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const node = walker.currentNode;
        if (!node.data.trim()) continue;
        const range = document.createRange();
        range.selectNodeContents(node);
        const box = node.parentElement.closest('.scroll')?.getBoundingClientRect();
        for (let { left, top, right, bottom } of range.getClientRects()) {
            if (box) [left, right] = [Math.max(left, box.left), Math.min(right, box.right)];
            if (right - left < 1) continue;
            for (const other of seen) {
                const wide = Math.min(right, other.right) - Math.max(left, other.left);
                const high = Math.min(bottom, other.bottom) - Math.max(top, other.top);
                if (other.node !== node && wide > 1 && high > 4)
                    found.push(`${node.data.trim()} over ${other.node.data.trim()}`);
            }
            seen.push({ node, left, top, right, bottom });
            if (right > innerWidth + 1) found.push(`${node.data.trim()} over the edge`);
        }
    }
    if (document.documentElement.scrollWidth > innerWidth) found.push('the page is too wide');
    return found";

/// What somebody who hears a page would miss.
const UNNAMED: &str = r"
    const named = one => one.ariaLabel || one.getAttribute('aria-labelledby') || one.innerText?.trim()
        || (one.labels && one.labels.length);
    const unnamed = [...document.querySelectorAll('a, button, input, [tabindex], [role=img]')]
        .filter(one => !named(one)).map(one => one.outerHTML);
    for (const id of [...document.querySelectorAll('[aria-labelledby]')].map(one => one.getAttribute('aria-labelledby')))
        if (!document.getElementById(id)) unnamed.push(`nothing is called ${id}`);
    const ids = [...document.querySelectorAll('[id]')].map(one => one.id);
    if (new Set(ids).size < ids.length) unnamed.push('an id stands twice');
    if (!document.documentElement.lang) unnamed.push('no language');
    if (!document.title) unnamed.push('no title');
    if (document.querySelectorAll('main').length !== 1) unnamed.push('not one main');
    if (document.querySelectorAll('h1').length !== 1) unnamed.push('not one h1');
    if ([...document.querySelectorAll('th')].some(th => !th.scope)) unnamed.push('a th has no scope');
    return unnamed";

#[tokio::test]
async fn pages_can_be_read_by_day_and_night_on_any_screen() {
    let (host, browser) = (host(Setup::new()).await, Browser::start().await);
    has_died(&host).await;
    let letter = host.dead_letters().await.remove(0);
    let trace = format!("/console/traces/{}", letter["trace_id"].as_str().unwrap());
    let pages = [
        ("overview", "/"),
        ("trace", &trace),
        ("login", "/console/login"),
        ("gone", "/console/traces/0"),
    ];
    for (scheme, ground) in [("light", "rgb(255, 255, 255)"), ("dark", "rgb(16, 21, 28)")] {
        for width in [400, 1280] {
            browser.looks(width, scheme).await;
            for (name, path) in pages {
                let at = format!("{name} at {width} px, {scheme}");
                browser.goto(&url(&host, path)).await;
                let shown = browser.run("return getComputedStyle(document.body).backgroundColor");
                assert_eq!(shown.await, ground, "{at}");
                assert_eq!(browser.run("return innerWidth").await, width, "{at}");
                for (fault, script) in
                    [("faint", FAINT), ("overlapping", OVERLAPPING), ("unnamed", UNNAMED)]
                {
                    let found = browser.run(script).await;
                    assert_eq!(found.as_array().unwrap().len(), 0, "{at}, {fault}: {found:#}");
                }
                browser.picture(&format!("{name}-{width}-{scheme}")).await;
            }
        }
    }
}
