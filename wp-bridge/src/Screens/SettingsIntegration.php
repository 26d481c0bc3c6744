<?php
/**
 * WooCommerce → Settings → Integration → Tillsync.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Screens;


/** Hangs the settings screen into WooCommerce. Its class extends one of WooCommerce's, which is loaded only when the filter runs. */
final class SettingsIntegration {

	/**
	 * @param mixed $integrations As known so far.
	 * @return mixed
	 */
	public function with_integration( $integrations = array() ) {
		return is_array( $integrations ) ? array_merge( $integrations, array( Integration::class ) ) : $integrations;
	}

	/**
	 * @param mixed $links Of the list of plugins.
	 * @return mixed
	 */
	public function with_link( $links = array() ) {
		return is_array( $links ) ? array_merge( array( '<a href="' . esc_url( self::url() ) . '">' . esc_html__( 'Settings', 'tillsync-bridge' ) . '</a>' ), $links ) : $links;
	}

	public static function url(): string {
		return admin_url( 'admin.php?page=wc-settings&tab=integration&section=' . Integration::ID );
	}
}
