<?php
/**
 * Uninstallation. It deletes all data of the plugin, on every site of a network and in both order stores. It needs no WooCommerce.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge;

defined( 'WP_UNINSTALL_PLUGIN' ) || exit;

// WordPress does not load the main file during uninstallation. The classes use these two constants of it.
defined( __NAMESPACE__ . '\VERSION' ) || define( __NAMESPACE__ . '\VERSION', '0' );
defined( __NAMESPACE__ . '\PLUGIN_FILE' ) || define( __NAMESPACE__ . '\PLUGIN_FILE', __DIR__ . '/tillsync-bridge.php' );

require_once __DIR__ . '/src/autoload.php';

$tillsync_uninstaller = ( new Services() )->get( Uninstall\Uninstaller::class );
if ( is_multisite() ) {
	foreach ( get_sites( array( 'fields' => 'ids', 'number' => 0 ) ) as $tillsync_site_id ) {
		switch_to_blog( $tillsync_site_id );
		$tillsync_uninstaller->clean_site();
		restore_current_blog();
	}
} else {
	$tillsync_uninstaller->clean_site();
}
