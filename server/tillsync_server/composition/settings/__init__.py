"""Every setting of the server, by topic, with its environment variable, unit, default and meaning. `tillsync settings` prints them.

Values come only from the environment; secrets may also come from files that it names. An empty variable counts as not set.
"""

from tillsync_server.composition.settings.listing import SettingLine, setting_lines
from tillsync_server.composition.settings.loading import SettingsError, load_settings
from tillsync_server.composition.settings.service import ServiceSettings, secret_variables, variables

__all__ = ["ServiceSettings", "SettingLine", "SettingsError", "load_settings", "secret_variables", "setting_lines", "variables"]
