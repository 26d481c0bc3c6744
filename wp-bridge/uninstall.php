<?php
/**
 * Uninstallation: works without WooCommerce, on both order stores and on every site of a network; takes everything of ours away.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge;

defined( 'WP_UNINSTALL_PLUGIN' ) || exit;

// The main file is not loaded now; what it declares is used by the classes.
defined( __NAMESPACE__ . '\VERSION' ) || define( __NAMESPACE__ . '\VERSION', '0' );
defined( __NAMESPACE__ . '\PLUGIN_FILE' ) || define( __NAMESPACE__ . '\PLUGIN_FILE', __DIR__ . '/tillsync-bridge.php' );

require_once __DIR__ . '/src/autoload.php';

$tillsync_leaving = ( new Services() )->get( Leaving\Uninstaller::class );
if ( is_multisite() ) {
	foreach ( get_sites( array( 'fields' => 'ids', 'number' => 0 ) ) as $tillsync_site_id ) {
		switch_to_blog( $tillsync_site_id );
		$tillsync_leaving->leave_site();
		restore_current_blog();
	}
} else {
	$tillsync_leaving->leave_site();
}
