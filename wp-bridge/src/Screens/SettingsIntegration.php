<?php
/**
 * Registration of the settings screen.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Screens;


/**
 * Adds the screen WooCommerce → Settings → Integration → Tillsync. Its class extends a class of WooCommerce, which is loaded only when the
 * filter runs.
 */
final class SettingsIntegration {

	/**
	 * @param mixed $integrations Integrations of WooCommerce and other plugins.
	 * @return mixed
	 */
	public function with_integration( $integrations = array() ) {
		return is_array( $integrations ) ? array_merge( $integrations, array( Integration::class ) ) : $integrations;
	}

	/**
	 * @param mixed $links Links of this plugin in the list of plugins.
	 * @return mixed
	 */
	public function with_link( $links = array() ) {
		return is_array( $links ) ? array_merge( array( '<a href="' . esc_url( self::url() ) . '">' . esc_html__( 'Settings', 'tillsync-bridge' ) . '</a>' ), $links ) : $links;
	}

	public static function url(): string {
		return admin_url( 'admin.php?page=wc-settings&tab=integration&section=' . Integration::ID );
	}
}
