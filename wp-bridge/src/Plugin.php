<?php
/**
 * The composition root.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge;

use Throwable;
use Tillsync\Bridge\Boot\BackOffice;
use Tillsync\Bridge\Boot\EveryRequest;
use Tillsync\Bridge\Boot\LazyHooks;
use Tillsync\Bridge\Boot\RestRoutes;

/** Adds the hooks that a request needs. A part that fails to load is logged and left out, and the shop continues. */
final class Plugin {

	private static ?Services $services = null;

	public static function services(): Services {
		return self::$services ??= new Services();
	}

	public static function boot(): void {
		$hooks           = new LazyHooks( self::services() );
		$has_woocommerce = class_exists( 'WooCommerce', false );
		try {
			EveryRequest::add( $hooks, $has_woocommerce );
			$hooks->action( 'rest_api_init', static fn() => RestRoutes::add( $hooks, $has_woocommerce ) );
			$is_added = false;
			$add      = static function () use ( $hooks, $has_woocommerce, &$is_added ): void {
				if ( ! $is_added ) {
					$is_added = true;
					BackOffice::add( $hooks, $has_woocommerce );
				}
			};
			self::is_back_office() ? $add() : $hooks->action( 'rest_api_init', $add, 0 );
		} catch ( Throwable $error ) {
			self::services()->get( Log::class )->failure( 'boot', $error );
		}
		if ( ! $has_woocommerce ) {
			// "Requires Plugins" is ignored before WordPress 6.5.
			add_action( 'admin_notices', array( self::class, 'woocommerce_missing' ) );
		}
	}

	/**
	 * Tells whether this is a request of wp-admin, cron or the command line, or a REST request by its address. It runs when plugins are
	 * loaded. WordPress announces REST much later, so rest_api_init catches REST requests at other addresses.
	 */
	private static function is_back_office(): bool {
		if ( is_admin() || wp_doing_cron() || self::is_command_line() ) {
			return true;
		}
		// With this constant WordPress runs cron within a page request.
		if ( defined( 'ALTERNATE_WP_CRON' ) && constant( 'ALTERNATE_WP_CRON' ) ) {
			return true;
		}
		$address = isset( $_SERVER['REQUEST_URI'] ) && is_string( $_SERVER['REQUEST_URI'] ) ? $_SERVER['REQUEST_URI'] : ''; // phpcs:ignore WordPress.Security
		// phpcs:ignore WordPress.Security.NonceVerification.Recommended -- only tests that the parameter exists.
		return isset( $_GET['rest_route'] ) || str_contains( $address, '/' . rest_get_url_prefix() . '/' );
	}

	public static function is_command_line(): bool {
		return defined( 'WP_CLI' ) && constant( 'WP_CLI' ) && class_exists( '\WP_CLI' );
	}

	public static function woocommerce_missing(): void {
		if ( ! current_user_can( 'activate_plugins' ) ) {
			return;
		}
		printf(
			'<div class="notice notice-warning"><p>%s</p></div>',
			esc_html__( 'Tillsync Bridge needs WooCommerce: orders are not matched until WooCommerce is active.', 'tillsync-bridge' )
		);
	}

	/** Creates the tables on activation. On a network each site creates its own tables when it first needs them. */
	public static function activated(): void {
		$services = self::services();
		SafeCall::run( $services->get( Log::class ), 'activation', static fn() => $services->get( Schema\SchemaUpdater::class )->check() );
		update_option( Connection\ConstantConnect::ACTIVATED, time(), false );
	}

	/**
	 * Removes scheduled actions and cron events on deactivation. The connection, the tables and the answers stay for a later activation.
	 *
	 * @param bool $network_wide Whether the plugin is deactivated on every site of the network.
	 */
	public static function deactivated( $network_wide = false ): void {
		$unschedule = static function (): void {
			SafeCall::run( self::services()->get( Log::class ), 'deactivation', static fn() => Schedule::clear_all() );
		};
		if ( ! $network_wide || ! is_multisite() ) {
			$unschedule();
			return;
		}
		foreach ( get_sites( array( 'fields' => 'ids', 'number' => 0 ) ) as $site_id ) {
			switch_to_blog( $site_id );
			$unschedule();
			restore_current_blog();
		}
	}
}
