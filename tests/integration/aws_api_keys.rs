//! Keys of API Gateway on an emulator that checks signatures and policies, and where an API asks for the key. (The lab's moto is
//! installed without what its API Gateway needs.) boto3 is the witness.

use offkey::action::{ActionError, Observed, Target, ValueRef, wait};
use offkey::finding::Liveness;
use offkey::provider::{AwsApiKeys, Provider, ProviderStep, Subject};
use offkey::secret::SecretValue;

use crate::aws::{admin, at, client, rand, user};
use crate::aws_front::{Verdict, failing_once};
use crate::lab::{self, Lab, unique};
use crate::steps::{context, drive, refusal, values};

/// A key on two usage plans, and one more plan that it is not on: id, value, the plans.
struct Kept {
    id: String,
    value: String,
    plans: String,
}

fn key(lab: &lab::Aws) -> Kept {
    keys(lab, 1).remove(0)
}

fn keys(lab: &lab::Aws, count: usize) -> Vec<Kept> {
    let name = unique("shop");
    let values: Vec<String> = (0..count).map(|_| unique("KeyOfTheShop")).collect();
    let made = lab.must(&format!(
        "gw = client('apigateway')\n\
         plans = [gw.create_usage_plan(name=f'{name}-{{n}}')['id'] for n in range(3)]\n\
         for value in '{}'.split():\n  \
           key = gw.create_api_key(name='{name}', description='for the shop', value=value, enabled=True, tags={{'team': 'shop'}})['id']\n  \
           for plan in plans[:2]: gw.create_usage_plan_key(usagePlanId=plan, keyId=key, keyType='API_KEY')\n  \
           print(key, ' '.join(plans))",
        values.join(" ")
    ));
    let kept = made.lines().zip(values).map(|(line, value)| {
        let (id, plans) = line.split_once(' ').expect("id and plans");
        Kept { id: id.to_owned(), value, plans: plans.to_owned() }
    });
    kept.collect()
}

/// Description, enabled, tags and plans of the key with a value, as boto3 sees them; `none`.
fn seen(lab: &lab::Aws, plans: &str, value: &str) -> String {
    all_seen(lab, plans, &[value]).remove(0)
}

fn all_seen(lab: &lab::Aws, plans: &str, values: &[&str]) -> Vec<String> {
    let said = lab.must(&format!(
        "gw = client('apigateway')\nplans = '{plans}'.split()\n\
         on = [{{i['id'] for i in gw.get_usage_plan_keys(usagePlanId=p, limit=500)['items']}} for p in plans]\nfound = {{}}\n\
         for page in gw.get_paginator('get_api_keys').paginate(includeValues=True, PaginationConfig={{'PageSize': 500}}):\n  \
           for k in page['items']:\n    \
             at = [n for n, p in enumerate(plans) if k['id'] in on[n]]\n    \
             found[k.get('value')] = (k['description'], k['enabled'], k.get('tags', {{}}), at)\n\
         for value in '{}'.split(): print(found.get(value, 'none'))",
        values.join(" ")
    ));
    said.lines().map(str::to_owned).collect()
}

fn place(id: &str) -> Target {
    Target { system: "keys".to_owned(), locator: format!("apikey:{id}") }
}

#[test]
fn a_key_is_replaced_by_one_like_it() {
    let lab = &Lab::require().ministack();
    let kept = key(lab);
    let keys = AwsApiKeys::new("keys", admin(lab));
    let (old, new) = (kept.value.clone(), unique("NewKeyOfTheShop"));
    let place = place(&kept.id);
    let known = wait(keys.recognise(&Subject::default(), &SecretValue::new(old.as_str()))).expect("asked");
    assert_eq!(known.as_ref(), Some(&place));
    assert!(wait(keys.recognise(&Subject::default(), &SecretValue::new(new.as_str()))).expect("asked").is_none());
    assert_eq!(wait(keys.validate(&place, &SecretValue::new(old.as_str()))), Liveness::Live);
    assert!(keys.settable(&place) && keys.overlaps(&place) && !keys.issuable(&place));
    wait(keys.preflight(&place)).expect("allowed");

    let (systems, refs) = values(&[&old, &new]);
    let cx = context(&systems, rand());
    let [old_ref, new_ref] = [refs[0].clone(), refs[1].clone()];
    let step = |step| keys.action(&place, step).expect("offered");
    let early = refusal(step(ProviderStep::Test { new: new_ref.clone() }).as_ref(), &cx);
    assert!(matches!(early, ActionError::Refused(_)), "{early}");
    let set = step(ProviderStep::Set { new: new_ref.clone(), old: old_ref.clone() });
    drive(set.as_ref(), &cx);
    let like = "('for the shop', True, {'team': 'shop'}, [0, 1])";
    assert_eq!(seen(lab, &kept.plans, &new), like, "like the old one, on its plans and no other");
    assert_eq!(seen(lab, &kept.plans, &old), like, "both work");
    wait(set.undo(&cx)).expect("taken back");
    assert_eq!(seen(lab, &kept.plans, &new), "none");
    drive(set.as_ref(), &cx);
    drive(step(ProviderStep::Test { new: new_ref.clone() }).as_ref(), &cx);
    let verify = || ProviderStep::Verify { new: Some(new_ref.clone()), old: old_ref.clone() };
    let lives = refusal(step(verify()).as_ref(), &cx);
    assert!(matches!(lives, ActionError::Stuck(_)), "{lives}");

    drive(step(ProviderStep::Evict { old: old_ref.clone() }).as_ref(), &cx);
    assert_eq!(seen(lab, &kept.plans, &old), "none");
    assert_eq!(seen(lab, &kept.plans, &new), like, "the new one stays");
    drive(step(verify()).as_ref(), &cx);
    assert!(matches!(wait(keys.validate(&place, &SecretValue::new(old.as_str()))), Liveness::Dead(_)));
    for other in [ProviderStep::Freeze, ProviderStep::Issue { into: new_ref.clone() }] {
        assert!(keys.action(&place, other).is_none());
    }
}

#[test]
fn an_api_takes_both_keys_and_then_only_the_new_one() {
    let lab = Lab::require().ministack();
    let kept = key(&lab);
    let api = lab.must(&format!(
        "gw = client('apigateway')\napi = gw.create_rest_api(name='shop')['id']\n\
         root = gw.get_resources(restApiId=api)['items'][0]['id']\n\
         at = dict(restApiId=api, resourceId=root, httpMethod='GET')\n\
         gw.put_method(**at, authorizationType='NONE', apiKeyRequired=True)\n\
         gw.put_integration(**at, type='MOCK', requestTemplates={{'application/json': '{{\"statusCode\": 200}}'}})\n\
         gw.put_method_response(**at, statusCode='200')\n\
         gw.put_integration_response(**at, statusCode='200')\n\
         gw.create_deployment(restApiId=api, stageName='live')\n\
         stages = [{{'apiId': api, 'stage': 'live'}}]\n\
         plan = gw.create_usage_plan(name=f'live-{{api}}', apiStages=stages)['id']\n\
         gw.create_usage_plan_key(usagePlanId=plan, keyId='{}', keyType='API_KEY')\n\
         print(api)",
        kept.id
    ));
    let asked = |value: &str| {
        lab.must(&format!(
            "import urllib.request, urllib.error\n\
             ask = urllib.request.Request('{}/restapis/{}/live/_user_request_/', headers={{'x-api-key': '{value}'}})\n\
             try: print(urllib.request.urlopen(ask).status)\n\
             except urllib.error.HTTPError as e: print(e.code)",
            lab.url,
            api.trim()
        ))
    };
    let new = unique("NewKeyOfTheShop");
    assert_eq!((asked(&kept.value).as_str(), asked(&new).as_str()), ("200", "403"));
    let keys = AwsApiKeys::new("keys", admin(&lab));
    let place = place(&kept.id);
    let (systems, refs) = values(&[&kept.value, &new]);
    let cx = context(&systems, rand());
    let set = ProviderStep::Set { new: refs[1].clone(), old: refs[0].clone() };
    drive(keys.action(&place, set).expect("offered").as_ref(), &cx);
    assert_eq!((asked(&kept.value).as_str(), asked(&new).as_str()), ("200", "200"));
    drive(keys.action(&place, ProviderStep::Evict { old: refs[0].clone() }).expect("offered").as_ref(), &cx);
    assert_eq!((asked(&kept.value).as_str(), asked(&new).as_str()), ("403", "200"));
}

type Fault = fn() -> Verdict;

/// Every request of a step fails once, in every way; after that the step goes on to its end and leaves nothing over.
#[test]
fn a_fault_at_each_request_of_a_step_leaves_a_step_that_can_go_on() {
    let lab = Lab::require().ministack();
    let faults: [(Fault, &str); 5] = [
        (|| Verdict::Answer(429, "{\"message\":\"no\"}".to_owned()), "not available"),
        (|| Verdict::Answer(503, "{\"message\":\"no\"}".to_owned()), "not available"),
        (|| Verdict::Answer(500, "{\"message\":\"no\"}".to_owned()), "outcome unknown"),
        (|| Verdict::Drop, "outcome unknown"),
        (|| Verdict::Lose, "outcome unknown"),
    ];
    let victims: [(&'static [&'static str], bool); 4] = [
        (&["POST /apikeys"], true),
        (&["POST /usageplans/", "/keys"], true),
        (&["PATCH /apikeys/"], false),
        (&["DELETE /apikeys/"], false),
    ];
    let all = keys(&lab, victims.len() * faults.len());
    let turns = victims.iter().flat_map(|victim| faults.iter().map(move |fault| (*victim, *fault)));
    let mut expected = Vec::new();
    for (((victim, sets), (fault, said)), kept) in turns.zip(&all) {
        let new = unique("NewKeyOfTheShop");
        let url = failing_once(&lab, victim, fault);
        let keys = AwsApiKeys::new("keys", at(&url, &lab.region, &lab.key_id, &lab.key));
        let (systems, refs) = values(&[&kept.value, &new]);
        let cx = context(&systems, rand());
        let (old, place) = (refs[0].clone(), place(&kept.id));
        let step = if sets { ProviderStep::Set { new: refs[1].clone(), old } } else { ProviderStep::Evict { old } };
        let action = keys.action(&place, step).expect("offered");
        let why = refusal(action.as_ref(), &cx).to_string();
        assert!(why.starts_with(said), "{victim:?}: {why}");
        assert!(!why.contains(&new) && !why.contains(&kept.value), "{why}");
        if wait(action.observe(&cx)) == Ok(Observed::NotDone) {
            wait(action.apply(&cx)).expect("goes on");
        }
        assert!(matches!(wait(action.observe(&cx)), Ok(Observed::Done(_))), "{victim:?} {said}");
        let like = "('for the shop', True, {'team': 'shop'}, [0, 1])";
        expected.push((new, if sets { like } else { "none" }));
        expected.push((kept.value.clone(), if sets { like } else { "none" }));
    }
    let values: Vec<&str> = expected.iter().map(|(value, _)| value.as_str()).collect();
    let seen = all_seen(&lab, &all[0].plans, &values);
    assert_eq!(seen, expected.iter().map(|(_, state)| *state).collect::<Vec<_>>());
}

#[test]
fn missing_rights_and_vanished_keys_are_named_before_anything_changes() {
    let lab = Lab::require().ministack();
    let kept = key(&lab);
    let reads = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"apigateway:GET","Resource":"*"}]}"#;
    let (_, id, secret) = user(&lab, reads);
    let reader = AwsApiKeys::new("keys", client(&lab, &id, &secret));
    let why = wait(reader.preflight(&place(&kept.id))).expect_err("may only read");
    assert!(matches!(&why, ActionError::Refused(why) if why.contains("403")), "{why}");
    let nothing = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:List*","Resource":"*"}]}"#;
    let (_, id, secret) = user(&lab, nothing);
    let blind = AwsApiKeys::new("keys", client(&lab, &id, &secret));
    let value = SecretValue::new(kept.value.as_str());
    assert!(wait(blind.recognise(&Subject::default(), &value)).is_err(), "what cannot be asked is no no");
    assert!(matches!(wait(blind.validate(&place(&kept.id), &value)), Liveness::Unknown(_)));

    let keys = AwsApiKeys::new("keys", admin(&lab));
    lab.must(&format!(
        "client('apigateway').update_api_key(apiKey='{}', patchOperations=[{{'op': 'replace', 'path': '/enabled', 'value': 'false'}}])",
        kept.id
    ));
    assert!(matches!(wait(keys.validate(&place(&kept.id), &value)), Liveness::Unknown(why) if why.contains("again")));
    lab.must(&format!("client('apigateway').delete_api_key(apiKey='{}')", kept.id));
    assert!(matches!(wait(keys.preflight(&place(&kept.id))), Err(ActionError::Conflict(_))));
    let (systems, refs) = values(&[&kept.value, &unique("NewKeyOfTheShop"), "short"]);
    let cx = context(&systems, rand());
    let gone = place(&kept.id);
    let set = |new: &ValueRef| {
        let step = ProviderStep::Set { new: new.clone(), old: refs[0].clone() };
        keys.action(&gone, step).map(|action| (wait(action.observe(&cx)), wait(action.apply(&cx))))
    };
    let (looked, done) = set(&refs[1]).expect("offered");
    assert!(matches!(looked, Ok(Observed::Conflict(_))) && matches!(done, Err(ActionError::Conflict(_))), "{looked:?}");
    let (_, short) = set(&refs[2]).expect("offered");
    assert!(matches!(&short, Err(ActionError::Refused(why)) if why.contains("length")), "{short:?}");
}
