//! Chromium without a window, as a person uses it: through its driver, in the JSON of W3C's WebDriver.

use std::net::SocketAddr;
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::Client;
use super::services::Services;

/// What the protocol calls the reference of an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// One page.
pub(crate) struct Browser {
    driver: Services,
    session: String,
}

impl Browser {
    pub(crate) async fn start() -> Self {
        let driver = Services::up("chromedriver", 1);
        // Root has no sandbox, and containers have little shared memory.
        let args = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "args": args },
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let mut browser = Self { driver, session: String::new() };
        let session = browser.ask("POST", "", wanted).await.expect("Chromium starts");
        browser.session = format!("/{}", session["sessionId"].as_str().unwrap());
        browser
    }

    /// One command of the session. The error is what the driver calls it.
    async fn ask(&self, method: &str, command: &str, body: Value) -> Result<Value, String> {
        let driver: SocketAddr = self.driver.said("chromedriver").parse().unwrap();
        let mut client = Client::connect(driver).await.unwrap();
        let path = format!("/session{}{command}", self.session);
        let json = [("content-type", "application/json")];
        let body = if method == "GET" { String::new() } else { body.to_string() };
        let answer = client.send(method, &path, &json, &body).await.unwrap();
        let value = answer.json()["value"].clone();
        match answer.status {
            200 => Ok(value),
            _ => Err(format!("{command}: {}: {}", value["error"], value["message"])),
        }
    }

    async fn post(&self, command: &str, body: Value) -> Value {
        self.ask("POST", command, body).await.unwrap()
    }

    /// As on a screen of this width, by day or by night.
    pub(crate) async fn looks(&self, width: u32, scheme: &str) {
        let screen =
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        for (command, params) in
            [("Emulation.setDeviceMetricsOverride", screen), ("Emulation.setEmulatedMedia", media)]
        {
            self.post("/goog/cdp/execute", json!({ "cmd": command, "params": params })).await;
        }
    }

    pub(crate) async fn goto(&self, url: &str) {
        self.post("/url", json!({ "url": url })).await;
    }

    pub(crate) async fn path(&self) -> String {
        self.run("return location.pathname").await.as_str().unwrap().to_owned()
    }

    /// Presses what this selector finds; once more if the page changed just then.
    pub(crate) async fn click(&self, selector: &str) {
        let mut told = String::new();
        for _ in 0..10 {
            let find = json!({ "using": "css selector", "value": selector });
            let found = self.post("/element", find).await;
            let click = format!("/element/{}/click", found[ELEMENT].as_str().unwrap());
            match self.ask("POST", &click, json!({})).await {
                Ok(_) => return,
                Err(error) => told = error,
            }
        }
        panic!("{selector} cannot be pressed: {told}");
    }

    /// Types into what has the focus.
    pub(crate) async fn types(&self, keys: &str) {
        let focused = self.ask("GET", "/element/active", Value::Null).await.unwrap();
        let value = format!("/element/{}/value", focused[ELEMENT].as_str().unwrap());
        self.post(&value, json!({ "text": keys })).await;
    }

    /// What a script returns.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", json!({ "script": script, "args": [] })).await
    }

    /// The text of what is shown.
    pub(crate) async fn text(&self) -> String {
        self.run("return document.body.innerText").await.as_str().unwrap().to_owned()
    }

    /// What the browser complained of since the last call: of scripts, of the policy, of requests.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let entries = self.post("/se/log", json!({ "type": "browser" })).await;
        entries.as_array().unwrap().iter().map(|entry| entry["message"].to_string()).collect()
    }

    /// Keeps a picture of the page for whoever wants to look.
    pub(crate) async fn picture(&self, name: &str) {
        let picture = self.ask("GET", "/screenshot", Value::Null).await.unwrap();
        let picture = BASE64_STANDARD.decode(picture.as_str().unwrap()).unwrap();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("console");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name).with_extension("png"), picture).unwrap();
    }
}
