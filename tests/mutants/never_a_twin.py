"""The mechanisms by which nobody is created twice at the till, and nobody is taken for gone who is not."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

_FLOWS = "tillsync_server/application/flows"
_CREATE = f"{_FLOWS}/create_protocol.py"
_SEARCH = f"{_FLOWS}/email_search.py"
_EPOS = "tillsync_server/adapters/epos"
_TILLS_SQL = "tillsync_server/adapters/postgres/sql/tills"
_PROTOCOL_TESTS = "tests/unit/test_create_protocol.py"
_SEARCH_TESTS = "tests/unit/test_email_search.py"
_ANSWERS_TESTS = "tests/unit/test_epos_answers.py"
_INTENT_TESTS = "tests/contracts/test_intents_contract.py"
_TWIN, _GONE = "never a twin", "gone"

NEVER_A_TWIN = [
    Mutant(
        _TWIN,
        "an intent that stands is taken over before it has settled",
        f"{_TILLS_SQL}/open_intent.sql",
        "AND (i.state = 3 OR i.settled_at <= excluded.create_time)",
        "",
        f"{_INTENT_TESTS} unsettled_one",
    ),
    Mutant(
        _TWIN,
        "an intent is replaced by whoever read an earlier one",
        f"{_TILLS_SQL}/open_intent.sql",
        "  AND i.settled_at = $9::timestamptz AND i.create_time = $10::timestamptz AND (",
        "  AND $9::timestamptz IS NOT NULL AND $10::timestamptz IS NOT NULL AND (",
        f"{_INTENT_TESTS} exactly_one_wins or only_exactly",
    ),
    Mutant(
        _TWIN,
        "an intent is cleared by another owner",
        f"{_TILLS_SQL}/clear_intent.sql",
        "AND owner = $3",
        "AND $3::text IS NOT NULL",
        f"{_INTENT_TESTS} another_owner",
    ),
    Mutant(
        _TWIN,
        "lanes of one process share the owner of their intents",
        "tillsync_server/application/engine/lane_runner.py",
        'return f"{self._lease.owner}:{self._lease.account_id}:{self._lease.token}"',
        'return f"{self._lease.owner}:{self._lease.token}"',
        f"{_PROTOCOL_TESTS} tag_of_a_lease",
    ),
    Mutant(
        _TWIN,
        "a create is sent although another's intent stands",
        _CREATE,
        "            if standing is None:\n",
        "            if True:\n",
        f"{_PROTOCOL_TESTS} before_it_settled",
    ),
    Mutant(
        _TWIN,
        "an intent counts as dead before it has settled",
        _CREATE,
        "            case IntentState.UNKNOWN:\n                if standing.is_settled:\n",
        "            case IntentState.UNKNOWN:\n                if True:\n",
        f"{_PROTOCOL_TESTS} before_it_settled",
    ),
    Mutant(
        _TWIN,
        "a settled intent is replaced on the strength of a search that began before",
        _CREATE,
        "            dead = standing  # and only a search made from now on may replace it\n",
        "            dead = standing\n"
        "            account_id = self._context.account.account_id\n"
        "            await self._services.intents.open(\n"
        "                self._till_id, email, account_id, self._owner, settle_seconds=settle_seconds, replaces=dead\n"
        "            )\n"
        "            permit = IntentPermit(self._lane, self._services.clock, opened_at, settle_seconds)\n"
        "            return await self._create(customer, email, permit, still_stands)\n",
        f"{_PROTOCOL_TESTS} search_that_began_later",
    ),
    Mutant(
        _TWIN,
        "an answer that was lost counts as a refusal",
        _CREATE,
        "        case _:\n            return False\n",
        "        case _:\n            return True\n",
        f"{_PROTOCOL_TESTS} answer_lost",
    ),
    Mutant(
        _TWIN,
        "a create is sent however old its intent is",
        _CREATE,
        "        if age > self._settle_seconds * _SEND_WITHIN:\n",
        "        if False:\n",
        f"{_PROTOCOL_TESTS} past_the_settle_time",
    ),
    Mutant(
        _TWIN,
        "a stop after the intent clears it",
        _CREATE,
        "            customer_id = await self._context.till.create_customer(customer, permit)\n",
        "            try:\n"
        "                customer_id = await self._context.till.create_customer(customer, permit)\n"
        "            except BaseException:\n"
        "                await intents.clear(self._till_id, email, owner)\n"
        "                raise\n",
        f"{_PROTOCOL_TESTS} nothing_is_cleared",
    ),
    Mutant(
        _TWIN,
        "nobody is searched for after the create",
        _CREATE,
        "            found = await self._emails.find(customer.email, prove_miss=False)\n",
        "            return Holders((customer_id,), created=customer_id)\n",
        f"{_PROTOCOL_TESTS} two_hits_after",
    ),
    Mutant(
        _TWIN,
        "a miss counts although the search is not proven",
        _CREATE,
        "            if found.unproven_because:\n",
        "            if False:\n",
        f"{_PROTOCOL_TESTS} unproven_search",
    ),
    Mutant(
        _TWIN,
        "a search that tells capitals apart counts as proven",
        _SEARCH,
        "return _Search.PROVEN if text == other else _Search.BY_LIST",
        "return _Search.PROVEN",
        f"{_SEARCH_TESTS} capitals_apart",
    ),
    Mutant(
        _TWIN,
        "a search that does not find what is there counts as proven",
        _SEARCH,
        "\n        return _Search.UNPROVEN\n",
        "\n        return _Search.PROVEN\n",
        f"{_SEARCH_TESTS} what_the_list_shows",
    ),
    Mutant(
        _TWIN,
        "a proof is good for every configuration",
        "tillsync_server/domain/account.py",
        'return f"{self.epos.base_url}|{self.epos.customer_api_version.name}|{key}"',
        "return key[:0]",
        f"{_SEARCH_TESTS} one_configuration",
    ),
    Mutant(
        _TWIN,
        "the list is believed after a page that is not full",
        _SEARCH,
        "                if not fresh:\n                    break\n                number += 1\n",
        "                number += 1\n                if len(fresh) < 200:\n                    break\n",
        f"{_SEARCH_TESTS} whatever_the_page_size",
    ),
    Mutant(
        _TWIN,
        "whatever the search returns is the person who was searched for",
        "tillsync_server/domain/matching.py",
        "if customer.email and normalise_email(customer.email) == wanted}",
        "if customer.email}",
        f"{_SEARCH_TESTS} exactly_the_same",
    ),
    Mutant(
        _TWIN,
        "an ignored filter goes unnoticed",
        f"{_EPOS}/customers.py",
        "ignored = any(not _contains(customer.email, text) for customer in fresh)",
        "ignored = False",
        f"{_ANSWERS_TESTS} filter_is_ignored",
    ),
    Mutant(
        _TWIN,
        "a search is read for its first page only",
        f"{_EPOS}/customers.py",
        "            if ignored or not fresh:\n",
        "            if True:\n",
        f"{_ANSWERS_TESTS} until_a_page_brings_no_new_id",
    ),
    Mutant(
        _TWIN,
        "a create is tried again like a read",
        f"{_EPOS}/requests.py",
        '        return await self._send("POST", path, None, body=json.dumps(content).encode(), permit=permit)\n',
        "        try:\n"
        '            return await self._send("POST", path, None, body=json.dumps(content).encode(), permit=permit)\n'
        "        except (Unanswered, ServerFailure):\n"
        '            return await self._send("POST", path, None, body=json.dumps(content).encode(), permit=permit)\n',
        f"{_ANSWERS_TESTS} sent_once",
    ),
    Mutant(
        _GONE,
        "every 404 means gone",
        f"{_FLOWS}/gone.py",
        "            if self._is_recent(resource.read_at) or self._was_recent(await stored_read()):\n",
        "            if True:\n",
        "tests/unit/test_gone.py missing_too",
    ),
    Mutant(
        _GONE,
        "a page for people is a missing customer",
        f"{_EPOS}/refusals.py",
        "        case 404 if answer.is_html:\n",
        "        case 404 if False:\n",
        f"{_ANSWERS_TESTS} every_answer_has_its_place",
    ),
]
