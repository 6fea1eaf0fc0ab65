"""What changes an issue in the Jira stand-in: create, edit, transitions, properties, and the changelog they leave.

Operations take (jira, path, query, body) and answer (status, body), as the wire does.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sandbox.jira_shapes import show_user
from sandbox.refusal import Refusal

if TYPE_CHECKING:
    from sandbox.jira import JiraSandbox

Json = dict[str, Any]
BOT = {"name": "scrumbut", "displayName": "scrumbut", "active": True}
BOXES = ("duedate", "customfield_10020")  # the sprint's field is this one here
EDITABLE = ("summary", "labels", "priority", "assignee", "description", *BOXES)
PRIORITIES = ("Highest", "High", "Medium", "Low", "Lowest")
RESOLUTIONS = ({"id": "1", "name": "Done"}, {"id": "2", "name": "Won't Do"})
CUSTOM = "com.atlassian.jira.plugin.system.customfieldtypes"
PROPERTY_MAX = 32_768  # bytes of JSON
SUMMARY_MAX = 255


def create_issue(jira: "JiraSandbox", path: Json, query: Json, body: Any) -> tuple[int, Any]:
    """POST issue, with properties where they are given"""
    if not isinstance(body, dict) or not body.get("fields"):
        raise Refusal(400, "No Issue Create payload supplied")
    fields = dict(body["fields"])
    project = (fields.pop("project", None) or {}).get("key")
    kind = fields.pop("issuetype", None)
    if not project or project not in jira.projects:
        raise Refusal(400, project="valid project is required")
    if not kind:
        raise Refusal(400, issuetype="Specify an issue type")
    if not str(fields.get("summary") or "").strip():
        raise Refusal(400, summary="You must specify a summary of the issue.")
    for name in jira.required_fields:
        if not fields.get(name):
            raise Refusal(400, **{name: f"{name} is required."})
    checked = {name: _checked(jira, name, value) for name, value in fields.items()}
    key = jira.add_issue(project, checked.pop("summary"))
    issue = jira.issue(key)
    issue["fields"].update(checked, reporter=BOT)
    for entry in body.get("properties", []):
        _put_property(jira, issue["id"], entry["key"], entry["value"])
    return 201, {"id": issue["id"], "key": key, "self": f"https://sandbox.example/rest/api/issue/{issue['id']}"}


def edit_issue(jira: "JiraSandbox", path: Json, query: Json, body: Any) -> tuple[int, Any]:
    """PUT issue; a field that is not on the screen is refused"""
    issue = jira.find(path["key"])
    fields = body.get("fields") if isinstance(body, dict) else None
    if not fields:
        raise Refusal(400, "Invalid request payload. Refer to the REST API documentation and try again.")
    jira.edit(issue["key"], by=BOT, **{name: _checked(jira, name, value) for name, value in fields.items()})
    return 204, None


def _checked(jira: "JiraSandbox", name: str, value: Any) -> Any:
    """A field's value as it is stored. Raises Refusal in Jira's words."""
    if name in jira.fields:
        return value
    if name not in EDITABLE:
        raise Refusal(400, **{name: f"Field '{name}' cannot be set. It is not on the appropriate screen, or unknown."})
    if name == "summary" and (not str(value or "").strip() or len(value) > SUMMARY_MAX or "\n" in value):
        raise Refusal(400, summary="Summary must be one line of at most 255 characters.")
    if name == "labels" and any(" " in label for label in value):
        raise Refusal(400, labels="The label contains spaces which is invalid.")
    if name in BOXES and value is not None:
        raise Refusal(400, **{name: "Field value must be empty here: people set it, in Jira."})
    if name == "priority" and value is not None:
        if value.get("name") not in PRIORITIES:
            raise Refusal(400, priority="The priority selected is invalid.")
        return {"id": str(PRIORITIES.index(value["name"]) + 1), "name": value["name"]}
    if name == "assignee" and value is not None:
        known = jira.people.get(str(value.get("accountId" if jira.cloud else "name")))
        if known is None:
            raise Refusal(400, assignee="User does not exist or is not assignable.")
        return known
    return value


def read_transitions(jira: "JiraSandbox", path: Json, query: Json, body: Any) -> tuple[int, Any]:
    """GET transitions: from every status to every other, as a simple workflow has it"""
    now = jira.find(path["key"])["fields"]["status"]["name"]
    offered = [(number, name) for number, name in enumerate(jira.workflow, 1) if name != now]
    return 200, {"transitions": [_transition(jira, number, name, query) for number, name in offered]}


def _transition(jira: "JiraSandbox", number: int, name: str, query: Json) -> Json:
    required = jira.screens.get(name, ())
    shown: Json = {
        "id": str(10 * number + 1),
        "name": f"To {name}",
        "to": jira.status(name),
        "hasScreen": bool(required),
    }
    if "transitions.fields" in str(query.get("expand", "")):
        shown["fields"] = {field: _field(jira, field) for field in required}
    return shown


def _field(jira: "JiraSandbox", name: str) -> Json:
    shown: Json = {"required": True, "hasDefaultValue": False, "key": name, "operations": ["set"]}
    if name in jira.fields:
        text = {"type": "string", "custom": f"{CUSTOM}:textfield", "customId": int(name.rpartition("_")[2])}
        return shown | {"name": jira.fields[name], "schema": text}
    if name == "duedate":
        return shown | {"name": "Due date", "schema": {"type": "date", "system": name}}
    kind = {"type": "resolution", "system": "resolution"}
    return shown | {"name": "Resolution", "schema": kind, "allowedValues": list(RESOLUTIONS)}


def do_transition(jira: "JiraSandbox", path: Json, query: Json, body: Any) -> tuple[int, Any]:
    """POST transitions"""
    issue = jira.find(path["key"])
    wanted = (body or {}).get("transition", {}).get("id")
    if not wanted:
        raise Refusal(400, "Missing 'transition' identifier")
    names = {str(10 * number + 1): name for number, name in enumerate(jira.workflow, 1)}
    name = names.get(str(wanted))
    if name is None or name == issue["fields"]["status"]["name"]:
        raise Refusal(400, "It seems that you have tried to perform a workflow operation that is not valid.")
    fields = dict(body.get("fields") or {})
    lacking = [field for field in jira.screens.get(name, ()) if not fields.get(field)]
    if lacking:
        raise Refusal(400, **{field: f"{field.title()} is required." for field in lacking})
    done = jira.workflow[name] == "done"
    given = fields.pop("resolution", None) or ({"name": "Done"} if done else {})
    known = (one for one in RESOLUTIONS if given.get("id") == one["id"] or given.get("name") == one["name"])
    resolution = next(known, None)
    if given and resolution is None:
        raise Refusal(501, "The stand-in does not know what Jira says of an unknown resolution.")
    checked = {field: _checked(jira, field, value) for field, value in fields.items()}
    jira.edit(issue["key"], by=BOT, status=(name, jira.workflow[name]), resolution=resolution, **checked)
    return 204, None


def read_fields(jira: "JiraSandbox", path: Json, query: Json, body: Any) -> tuple[int, Any]:
    """GET field: the custom ones of this instance"""
    return 200, [
        {"id": id_, "key": id_, "name": name, "custom": True, "orderable": True, "navigable": True, "searchable": True,
         "clauseNames": [id_]} for id_, name in jira.fields.items()
    ]  # fmt: skip


def search_people(jira: "JiraSandbox", path: Json, query: Json, body: Any) -> tuple[int, Any]:
    """GET user/search, by e-mail address"""
    asked = str(query.get("query" if jira.cloud else "username") or "").casefold()
    return 200, [
        show_user(jira.cloud, person) for name, person in jira.people.items() if f"{name}@example.com".endswith(asked)
    ]


def create_types(jira: "JiraSandbox", path: Json, query: Json, body: Any) -> tuple[int, Any]:
    """GET createmeta of a project: its issue types"""
    if path["project"] not in jira.projects:
        raise Refusal(404, "The project could not be found or you do not have permission to view it.")
    kind = {"id": "1", "name": "Task", "description": "", "subtask": False, "iconUrl": "", "self": ""}
    return 200, {"issueTypes" if jira.cloud else "values": [kind], "maxResults": 50, "startAt": 0, "total": 1}


def create_screen(jira: "JiraSandbox", path: Json, query: Json, body: Any) -> tuple[int, Any]:
    """GET createmeta of an issue type: its fields"""
    names = ("project", "issuetype", "summary", *jira.required_fields)
    shown = [{"fieldId": name, "key": name, "name": name.title(), "required": True, "hasDefaultValue": False,
              "operations": ["set"], "schema": {"type": "string"}} for name in names]  # fmt: skip
    answer = {"maxResults": 50, "startAt": 0, "total": len(shown)}
    return 200, answer | {"fields" if jira.cloud else "values": shown}


def read_property(jira: "JiraSandbox", path: Json, query: Json, body: Any) -> tuple[int, Any]:
    """GET a property of an issue"""
    kept = jira.properties.get(jira.find(path["key"])["id"], {})
    if path["property"] not in kept:
        raise Refusal(404, f"The property {path['property']} does not exist.")
    return 200, {"key": path["property"], "value": kept[path["property"]]}


def write_property(jira: "JiraSandbox", path: Json, query: Json, body: Any) -> tuple[int, Any]:
    """PUT a property of an issue; it never moves `updated`"""
    return _put_property(jira, jira.find(path["key"])["id"], path["property"], body), None


def _put_property(jira: "JiraSandbox", issue_id: str, name: str, value: Any) -> int:
    if len(str(value)) > PROPERTY_MAX:
        raise Refusal(400, "The property value is too long.")
    kept = jira.properties.setdefault(issue_id, {})
    status = 200 if name in kept else 201
    kept[name] = value
    return status


def history(jira: "JiraSandbox", issue: Json) -> Json:
    """An issue's changelog, the newest first, as `expand=changelog` shows it."""
    entries = [
        {**entry, "author": show_user(jira.cloud, entry["author"])} for entry in reversed(jira.history(issue["id"]))
    ]
    return {"startAt": 0, "maxResults": len(entries), "total": len(entries), "histories": entries}


def change_item(field: str, before: Any, after: Any) -> Json:
    """One line of a changelog entry: ids where the field has them, and what a person reads."""
    return {
        "field": field, "fieldtype": "jira", "from": _id(before), "fromString": _text(before), "to": _id(after),
        "toString": _text(after),
    }  # fmt: skip


def _id(value: Any) -> str | None:
    found = value.get("accountId") or value.get("id") or value.get("name") if isinstance(value, dict) else None
    return str(found) if found else None


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return str(value.get("displayName") or value.get("name") or "")
    return " ".join(map(_text, value)) if isinstance(value, list) else str(value or "")


Operation = Callable[["JiraSandbox", Json, Json, Any], tuple[int, Any]]
WRITES: dict[str, Operation] = {
    function.__name__: function
    for function in (
        create_issue, edit_issue, read_transitions, do_transition, read_property, write_property, read_fields,
        search_people, create_types, create_screen,
    )
}  # fmt: skip
