<?php
/**
 * Uninstallation: works without WooCommerce, takes everything of ours away.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge;

defined( 'WP_UNINSTALL_PLUGIN' ) || exit;

require_once __DIR__ . '/src/autoload.php';

/** Tables, options, scheduled events and order meta of the present site. */
function uninstall_site( Services $services ): void {
	$database = $services->database();
	Schedule::clear_all();
	foreach ( $services->tables()->all() as $table ) {
		$database->query( "DROP TABLE IF EXISTS {$table}" ); // phpcs:ignore WordPress.DB
	}
	$like = $database->esc_like( 'tillsync_bridge_' ) . '%';
	// phpcs:ignore WordPress.DB
	foreach ( $database->get_col( $database->prepare( "SELECT option_name FROM {$database->options} WHERE option_name LIKE %s", $like ) ) as $option ) {
		delete_option( $option );
	}
	$meta = $database->esc_like( '_tillsync_' ) . '%';
	foreach ( array( $database->postmeta, $database->prefix . 'wc_orders_meta' ) as $table ) {
		$suppressed = $database->suppress_errors( true );
		$database->query( $database->prepare( "DELETE FROM {$table} WHERE meta_key LIKE %s", $meta ) ); // phpcs:ignore WordPress.DB
		$database->suppress_errors( $suppressed );
	}
}

$tillsync_services = new Services();
if ( is_multisite() ) {
	foreach ( get_sites( array( 'fields' => 'ids', 'number' => 0 ) ) as $tillsync_site_id ) {
		switch_to_blog( $tillsync_site_id );
		uninstall_site( $tillsync_services );
		restore_current_blog();
	}
} else {
	uninstall_site( $tillsync_services );
}
