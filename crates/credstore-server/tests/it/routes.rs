//! Every route with every kind of token, from the table itself (reliability goal N4).

use credstore_server::routes::{Access, ROUTES, Route, Surface};

use crate::world::{GRAPH, LOGIN, MANAGEMENT, VAULT, World, ask};

fn host(surface: Surface) -> &'static str {
    match surface {
        Surface::Vault => VAULT,
        Surface::Login => LOGIN,
        Surface::Management => MANAGEMENT,
        Surface::Graph => GRAPH,
    }
}

fn path(route: &Route, world: &World) -> String {
    let version = match route.surface {
        Surface::Vault => "7.4",
        _ => "2023-07-01",
    };
    let filled = [
        ("{name}", "db"),
        ("{version}", "00000000000000000000000000000001"),
        ("{tenant}", &world.tenant),
        ("{s}", &world.tenant),
        ("{g}", "credstore"),
        ("{n}", "acme"),
        ("{l}", "local"),
        ("{change}", "add"),
        ("{kind}", "secrets"),
        ("{object}", "db"),
        ("{r}", "4633458b-17de-408a-b874-0445c86b69e6"),
        ("{a}", "5d0c2a8e-91f3-4f0e-8a27-6c3f1d90b7f1"),
        ("{id}", "5d0c2a8e-91f3-4f0e-8a27-6c3f1d90b7f1"),
    ];
    let path = filled.iter().fold(route.path.to_owned(), |path, (name, value)| path.replace(name, value));
    format!("{path}?api-version={version}")
}

#[test]
fn who_may_call_what_is_as_it_was_reviewed() {
    let table: Vec<String> = ROUTES
        .iter()
        .map(|route| {
            let access = match route.access {
                Access::Anyone => "anyone".to_owned(),
                Access::AnyToken => "any token".to_owned(),
                Access::Operator => "operator".to_owned(),
                Access::Proof => "proof of a key of the application".to_owned(),
                Access::Permission(permission) => permission.to_string(),
            };
            format!("{:?} {} {} : {access}", route.surface, route.method, route.path)
        })
        .collect();
    let reviewed: Vec<&str> = include_str!("access.txt").lines().collect();
    assert_eq!(table, reviewed, "a new or changed route needs its row in tests/it/access.txt");
}

/// What the schema fuzzer asks is what is served, and nothing is served that it does not ask.
#[test]
fn the_description_of_the_data_plane_has_every_route_and_no_other() {
    let description: serde_json::Value =
        serde_json::from_str(include_str!("../../../../docs/openapi/key-vault.json")).unwrap();
    let mut described: Vec<String> = Vec::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        let methods = item.as_object().unwrap().keys().filter(|member| *member != "parameters");
        described.extend(methods.map(|method| format!("{} {path}", method.to_uppercase())));
    }
    let served = ROUTES.iter().filter(|route| route.surface == Surface::Vault);
    let mut served: Vec<String> = served.map(|route| format!("{} {}", route.method, route.path)).collect();
    described.sort();
    served.sort();
    assert_eq!(described, served);
}

#[tokio::test]
async fn every_route_refuses_who_may_not() {
    let world = World::with_vault().await;
    let (_, stranger, _) = world.application("stranger").await;
    for route in ROUTES.iter().filter(|route| route.access != Access::Anyone) {
        let (host, path) = (host(route.surface), path(route, &world));
        let other = if route.surface == Surface::Vault { "management" } else { "vault" };
        let own = host.split('.').next().map(|name| if name == "acme" { "vault" } else { name }).unwrap();
        let foreign = world.operator_token(other).await;
        let unprivileged = world.token(&stranger, own).await;
        for (who, token, expected) in [
            ("nobody", None, 401),
            ("garbage", Some("garbage"), 401),
            ("none algorithm", Some("eyJhbGciOiJub25lIn0.e30."), 401),
            ("another audience", Some(foreign.as_str()), 401),
            ("no permission", Some(unprivileged.as_str()), 403),
        ] {
            let mut request = ask(route.method, host, &path);
            request.token = token;
            let answer = request.text("{\"not\":\"read\"}").of(&world.app).await;
            let expected = match (expected, route.access, route.path) {
                (403, Access::AnyToken, "/v1.0/me") => 400,
                (403, Access::AnyToken, _) => 200,
                _ => expected,
            };
            assert_eq!(answer.status, expected, "{who}: {} {} {}", route.method, route.path, answer.text);
            if expected == 401 {
                assert!(answer.header("www-authenticate").starts_with("Bearer authorization"), "{}", route.path);
                assert!(!answer.text.contains("garbage"));
            }
        }
    }
}

#[tokio::test]
async fn open_routes_answer_without_a_token() {
    let world = World::empty();
    for route in ROUTES.iter().filter(|route| route.access == Access::Anyone) {
        let answer = ask(route.method, host(route.surface), &path(route, &world)).of(&world.app).await;
        let expected = if route.method == "POST" { 400 } else { 200 };
        assert_eq!(answer.status, expected, "{} {}", route.path, answer.text);
    }
}

#[tokio::test]
async fn an_unknown_path_and_a_wrong_method_are_told_apart_after_the_token_only() {
    let world = World::with_vault().await;
    let token = world.operator_token("vault").await;
    let path = "/nothing/here?api-version=7.4";
    assert_eq!(ask("GET", VAULT, path).of(&world.app).await.status, 401);
    assert_eq!(ask("GET", VAULT, path).token(&token).of(&world.app).await.error().0, 404);
    let wrong = ask("POST", VAULT, "/secrets/db?api-version=7.4").token(&token).of(&world.app).await;
    assert_eq!((wrong.status.as_u16(), wrong.header("allow")), (405, "GET, PUT, PATCH, DELETE"));
    let storage = ask("GET", VAULT, "/storage/k/?api-version=7.4").token(&token).of(&world.app).await.error();
    assert_eq!((storage.0, storage.1.as_str()), (400, "BadParameter"));
}
