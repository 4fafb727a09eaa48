//! Lists and their pages as real clients follow them, contract section 4.

use serde_json::Value;

use crate::world::{Session, World};

const LISTS: [&str; 3] = ["/secrets", "/secrets/many/versions", "/deletedsecrets"];

/// A vault where each list has `count` items.
async fn filled(vault: &Session<'_>, count: usize) {
    for n in 0..count {
        vault.set(&format!("gone{n}"), "v").await;
        vault.delete(&format!("/secrets/gone{n}")).await.expect(200);
        vault.set("many", "v").await;
        if n > 0 {
            vault.set(&format!("live{n}"), "v").await;
        }
    }
}

/// Follows the links, each of them changed by `rewrite`; gives the number of items of each page and the ids.
async fn follow(vault: &Session<'_>, first: &str, rewrite: impl Fn(&str) -> String) -> (Vec<usize>, Vec<String>) {
    let (mut sizes, mut ids) = (Vec::new(), Vec::new());
    let mut next = Some(first.to_owned());
    while let Some(path) = next {
        let page = vault.get(&path).await.expect(200);
        let items = page["value"].as_array().unwrap();
        sizes.push(items.len());
        ids.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        next = page["nextLink"].as_str().map(|link| {
            rewrite(link.strip_prefix("https://acme.vault.localhost:8443").expect("our own host with its port"))
        });
    }
    ids.sort();
    ids.dedup();
    (sizes, ids)
}

#[tokio::test]
async fn every_list_is_whole_at_every_size_of_page() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    filled(&vault, 6).await;
    for list in LISTS {
        let mut all = vault.ids(list).await;
        all.sort();
        assert_eq!(all.len(), 6, "{list}");
        for size in [1, 2, 3, 5, 6, 7, 25] {
            let first = format!("{list}?api-version=7.4&maxresults={size}");
            let (sizes, ids) = follow(&vault, &first, str::to_owned).await;
            assert_eq!(ids, all, "{list} by {size}");
            assert!(sizes.iter().all(|count| *count <= size), "{list} by {size}: {sizes:?}");
        }
    }
}

#[tokio::test]
async fn a_page_holds_25_and_the_next_one_begins_after_it() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    for n in 0..26 {
        if n == 25 {
            assert_eq!(vault.ids("/secrets").await.len(), 25, "25 fit on one page");
        }
        vault.set(&format!("s{n}"), "v").await;
    }
    for query in ["", "&maxresults=25", "&maxresults="] {
        let (sizes, ids) = follow(&vault, &format!("/secrets?api-version=7.4{query}"), str::to_owned).await;
        assert_eq!((sizes, ids.len()), (vec![25, 1], 26), "{query}");
    }
}

#[tokio::test]
async fn a_link_is_followed_however_a_client_rewrites_it() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    filled(&vault, 4).await;
    let reversed = |link: &str| {
        let (path, query) = link.split_once('?').unwrap();
        format!("{path}?{}", query.split('&').rev().collect::<Vec<_>>().join("&"))
    };
    for list in LISTS {
        let first = format!("{list}?api-version=7.4&maxresults=2");
        let (_, all) = follow(&vault, &first, str::to_owned).await;
        assert_eq!(all.len(), 4);
        // The Python client replaces the version in it, some encode the dollar, and the order is nobody's promise.
        let newer = |link: &str| link.replace("api-version=7.4", "api-version=2026-04-01");
        assert_eq!(follow(&vault, &first, newer).await.1, all, "{list}");
        assert_eq!(follow(&vault, &first, |link| link.replace('$', "%24")).await.1, all, "{list}");
        assert_eq!(follow(&vault, &first, reversed).await.1, all, "{list}");
        assert_eq!(follow(&vault, &first, |link| link.replace("secrets", "SECRETS")).await.1, all, "{list}");
        assert_eq!(follow(&vault, &first, |link| link.replace("/s", "//s")).await.1, all, "{list}");
        let without = |link: &str| link.replace("&maxresults=2", "");
        assert_eq!(follow(&vault, &first, without).await.1, all, "{list}");
    }
}

#[tokio::test]
async fn a_link_stays_good_when_what_it_points_at_is_gone() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    filled(&vault, 5).await;
    let page = vault.get("/secrets?api-version=7.4&maxresults=2").await.expect(200);
    let link = page["nextLink"].as_str().unwrap().strip_prefix("https://acme.vault.localhost:8443").unwrap().to_owned();
    for id in vault.ids("/secrets").await {
        let name = id.rsplit('/').next().unwrap();
        vault.delete(&format!("/secrets/{name}")).await.expect(200);
    }
    let rest = vault.get(&link).await.expect(200);
    assert_eq!((&rest["value"], &rest["nextLink"]), (&Value::Array(Vec::new()), &Value::Null));
}

#[tokio::test]
async fn the_edges_of_maxresults_and_of_the_token_are_refused_in_every_list() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    let bounds = "The value of maxresults must be between 1 and 25.";
    for list in LISTS {
        for (query, text) in [
            ("maxresults=0", bounds),
            ("maxresults=26", bounds),
            ("maxresults=-1", bounds),
            ("maxresults=1.5", bounds),
            ("maxresults=ten", bounds),
            ("maxresults=99999999999999999999", bounds),
            ("maxresults=1&maxresults=2", "The query of the request URI is not valid."),
            ("$skiptoken=nonsense", "The value of $skiptoken is not valid."),
            ("$skiptoken=..%2F..%2Fetc", "The value of $skiptoken is not valid."),
        ] {
            let error = vault.get(&format!("{list}?api-version=7.4&{query}")).await.error();
            assert_eq!((error.0, error.1.as_str(), error.3.as_str()), (400, "BadParameter", text), "{list} {query}");
        }
        for query in ["maxresults=1", "maxresults=25", "$skiptoken=", "unknown=1"] {
            vault.get(&format!("{list}?api-version=7.4&{query}")).await.expect(200);
        }
    }
}

#[tokio::test]
async fn a_list_shows_no_value_and_only_what_lives() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    filled(&vault, 3).await;
    for list in LISTS {
        let answer = vault.get(list).await;
        assert!(!answer.text.contains("\"value\":\"") && !answer.text.contains("gone1/"), "{list} {}", answer.text);
    }
    let live = vault.ids("/secrets").await;
    assert!(live.iter().all(|id| !id.contains("gone")), "{live:?}");
    let gone = vault.get("/deletedsecrets").await.expect(200);
    for item in gone["value"].as_array().unwrap() {
        let id = item["id"].as_str().unwrap();
        assert_eq!(item["recoveryId"], id.replace("/secrets/", "/deletedsecrets/"));
    }
    assert_eq!(vault.ids("/secrets/gone1/versions").await, Vec::<String>::new(), "versions of a deleted name: none");
}
