"""What a record says of people is not in an anonymous bundle."""

import json

from rtrace.privacy.anonymous.ids import PersonalIds
from rtrace.privacy.anonymous.names import PersonalNames
from rtrace.privacy.anonymous.pseudonyms import Pseudonyms
from rtrace.privacy.anonymous.records import anonymize_record
from rtrace.record.changing.annotating import annotate, make_annotation
from rtrace.record.empty import empty_record


def test_what_people_say_and_the_hosts_of_ranks_are_left_out() -> None:
    """A last name alone is no name that is known; other hosts than the first have names as well."""
    record = empty_record()
    record["label"], record["reason"], record["tags"] = "for-zaphod", "Zaphod asked for it", ["zaphod"]
    record["ranks"] = [{"rank": 0, "host": "zaphods-node"}]
    record = annotate(record, make_annotation(by="zaphod", outcome="Zaphod is content", add_tags=["zaphod"]))
    names = PersonalNames(Pseudonyms({b"Quentin Zaphod": b"Userxxx xxxxxx"}))
    changed = anonymize_record(json.loads(json.dumps(record)), None, names, PersonalIds({}), lambda _path: None)
    assert "zaphod" not in json.dumps(changed).lower()
    assert changed["ranks"] == [{"rank": 0, "host": None}]
