<?php
/**
 * Plugin Name:       Tillsync Bridge: till customers for WooCommerce
 * Description:       Connects a WooCommerce shop to a tillsync service: every web order finds its customer at the Epos Now till, and points, credit and customer types travel to the shop. Not affiliated with, or endorsed by, Epos Now or WooCommerce.
 * Version:           0.2.0
 * Requires at least: 6.1
 * Requires PHP:      8.2
 * Requires Plugins:  woocommerce
 * WC requires at least: 10.5
 * WC tested up to:  10.5
 * License:           GPL-2.0-or-later
 * License URI:       https://www.gnu.org/licenses/gpl-2.0.html
 * Text Domain:       tillsync-bridge
 * Domain Path:       /languages
 * Update URI:        https://tillsync.invalid/bridge
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge;

defined( 'ABSPATH' ) || exit;

const VERSION     = '0.2.0';
const PLUGIN_FILE = __FILE__;

require_once __DIR__ . '/src/autoload.php';

// HPOS compatibility: the plugin reads and writes orders only through WooCommerce's objects, so both order stores work.
add_action(
	'before_woocommerce_init',
	static function (): void {
		if ( class_exists( '\Automattic\WooCommerce\Utilities\FeaturesUtil' ) ) {
			\Automattic\WooCommerce\Utilities\FeaturesUtil::declare_compatibility( 'custom_order_tables', PLUGIN_FILE, true );
			\Automattic\WooCommerce\Utilities\FeaturesUtil::declare_compatibility( 'cart_checkout_blocks', PLUGIN_FILE, true );
		}
	}
);

// WordPress calls no activation hook for updates and for new sites of a network. Schema\SchemaUpdater compares the schema version in
// wp-admin and in cron.
register_activation_hook( PLUGIN_FILE, array( Plugin::class, 'activated' ) );
register_deactivation_hook( PLUGIN_FILE, array( Plugin::class, 'deactivated' ) );

add_action( 'plugins_loaded', array( Plugin::class, 'boot' ) );
