"""What people do with alerts."""

from __future__ import annotations

from starlette.testclient import TestClient

from tests.serving.conftest import World


def first_alert(client: TestClient) -> str:
    alert_id: str = client.get("/alerts").json()["alerts"][0]["alert_id"]
    return alert_id


def test_acknowledging_says_who_and_keeps_the_comment(own_world: World) -> None:
    client = own_world.client("nora")
    alert = first_alert(client)

    answer = client.post(f"/alerts/{alert}/acknowledge", json={"comment": "I call today."}).json()

    assert answer["state"] == "acknowledged"
    [action] = answer["actions"]
    assert (action["actor"], action["kind"], action["comment"]) == ("nora", "acknowledged", "I call today.")
    assert client.get(f"/alerts/{alert}").json() == answer


def test_acknowledging_twice_changes_nothing(own_world: World) -> None:
    client = own_world.client("nora")
    alert = first_alert(client)

    once = client.post(f"/alerts/{alert}/acknowledge", json={}).json()
    twice = client.post(f"/alerts/{alert}/acknowledge", json={}).json()

    assert twice == once
    assert len(twice["actions"]) == 1


def test_a_resolved_alert_leaves_the_list_and_stays_in_the_record(own_world: World) -> None:
    client = own_world.client("nora")
    alert = first_alert(client)

    client.post(f"/alerts/{alert}/resolve", json={"comment": "Talked; a cold."})

    assert alert not in [row["alert_id"] for row in client.get("/alerts").json()["alerts"]]
    [resolved] = client.get("/alerts?state=resolved").json()["alerts"]
    assert resolved["alert_id"] == alert
    assert client.post(f"/alerts/{alert}/acknowledge", json={}).json()["state"] == "resolved"


def test_a_comment_changes_no_state_and_cannot_be_empty(own_world: World) -> None:
    client = own_world.client("nora")
    alert = first_alert(client)

    empty = client.post(f"/alerts/{alert}/comment", json={"comment": "  "})
    answer = client.post(f"/alerts/{alert}/comment", json={"comment": "Left a message."}).json()

    assert empty.status_code == 422
    assert answer["state"] == "new"
    assert answer["actions"][-1]["comment"] == "Left a message."


def test_an_alert_of_another_clinic_cannot_be_acted_on(own_world: World) -> None:
    other = own_world.client("sam").get("/alerts").json()["alerts"]
    assert other

    answer = own_world.client("nora").post(f"/alerts/{other[0]['alert_id']}/resolve", json={})

    assert answer.status_code == 404
    assert own_world.client("sam").get("/alerts").json()["alerts"] == other


def test_analysts_see_that_something_was_done_but_not_the_words(own_world: World) -> None:
    alert = first_alert(own_world.client("nora"))
    own_world.client("nora").post(f"/alerts/{alert}/comment", json={"comment": "Private."})

    seen = own_world.client("ana").get(f"/alerts/{alert}").json()

    assert seen["actions"][0]["kind"] == "commented"
    assert seen["actions"][0]["comment"] is None


def test_pages_act_with_a_form_and_go_back(own_world: World) -> None:
    client = own_world.client()
    client.post("/login", data={"token": own_world.tokens["nora"]})
    page = client.get("/dashboard").text
    token = page.split('name="csrf_token" value="')[1].split('"')[0]
    alert = first_alert(client)

    answer = client.post(
        f"/dashboard/alerts/{alert}", data={"csrf_token": token, "action": "acknowledge", "back": "today"}
    )

    assert answer.status_code == 303
    assert answer.headers["location"] == "/dashboard"
    assert client.get(f"/alerts/{alert}").json()["state"] == "acknowledged"
    unknown = client.post(f"/dashboard/alerts/{alert}", data={"csrf_token": token, "action": "delete"})
    assert unknown.status_code == 422
