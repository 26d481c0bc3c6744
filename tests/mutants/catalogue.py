"""Lists all mutants. Each removes the mechanism of one invariant."""

from __future__ import annotations

from mutants.bridge import BRIDGE
from mutants.confirmed_emails import CONFIRMED_EMAILS
from mutants.current_settings import CURRENT_SETTINGS
from mutants.edges import EDGES
from mutants.engine import ENGINE
from mutants.never_a_twin import NEVER_A_TWIN
from mutants.privacy import PRIVACY
from mutants.releases import RELEASES
from mutants.restores import RESTORES
from mutants.turns import TURNS

MUTANTS = [*ENGINE, *CURRENT_SETTINGS, *CONFIRMED_EMAILS, *NEVER_A_TWIN, *PRIVACY, *RELEASES, *RESTORES, *TURNS, *EDGES, *BRIDGE]
