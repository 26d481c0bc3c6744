<?php
/**
 * WooCommerce → Settings → Integration → Tillsync.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Screens;

use Tillsync\Bridge\Connection\SiteSettings;
use Tillsync\Bridge\Guarded;
use Tillsync\Bridge\Part;
use Tillsync\Bridge\Schedule;
use Tillsync\Bridge\Services;

/** Hangs the settings screen into WooCommerce. Its class extends one of WooCommerce's, which is loaded only when the filter runs. */
final class SettingsIntegration implements Part {

	private Services $services;

	public function __construct( Services $services ) {
		$this->services = $services;
	}

	public function register(): void {
		add_filter( 'woocommerce_integrations', Guarded::filter( $this->services, 'woocommerce_integrations', static fn( $integrations = array() ) => is_array( $integrations ) ? array_merge( $integrations, array( Integration::class ) ) : $integrations ) );
		add_filter(
			'plugin_action_links_' . plugin_basename( \Tillsync\Bridge\PLUGIN_FILE ),
			Guarded::filter( $this->services, 'plugin_action_links', static fn( $links = array() ) => is_array( $links ) ? array_merge( array( '<a href="' . esc_url( self::url() ) . '">' . esc_html__( 'Settings', 'tillsync-bridge' ) . '</a>' ), $links ) : $links )
		);
		add_action( Schedule::DAILY, Guarded::action( $this->services, 'daily look at the settings', fn() => $this->services->get( SiteSettings::class )->look_again() ) );
		$this->services->get( SettingsActions::class )->register();
	}

	public static function url(): string {
		return admin_url( 'admin.php?page=wc-settings&tab=integration&section=' . Integration::ID );
	}
}
