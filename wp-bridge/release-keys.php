<?php
/**
 * Public keys that sign the plugin's releases.
 *
 * This copy has none. `make bridge-zip BRIDGE_PUBLIC_KEY=…` writes at most two keys into the zip. A zip without a key offers no updates.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

defined( 'ABSPATH' ) || exit;

return array();
