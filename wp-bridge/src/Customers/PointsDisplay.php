<?php
/**
 * Points where the shopper sees them.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Customers;

use Tillsync\Bridge\Confirmation\ConfirmationPages;
use Tillsync\Bridge\Guarded;
use Tillsync\Bridge\Part;
use Tillsync\Bridge\Plugin;
use Tillsync\Bridge\Rest\ShopperPointsRoute;
use Tillsync\Bridge\Services;

/**
 * An empty place on the page, which a script fills: on the My Account dashboard, by the block tillsync/points, by the shortcode
 * [tillsync_points]. No value stands in the page itself, so no page cache can show a shopper's points to another.
 */
final class PointsDisplay implements Part {

	public const SHORTCODE = 'tillsync_points';

	private const OPTION = 'tillsync_bridge_show_points';
	private const HANDLE = 'tillsync-points';

	private Services $services;

	public function __construct( Services $services ) {
		$this->services = $services;
	}

	public function register(): void {
		add_action( 'init', Guarded::action( $this->services, 'points display', fn() => $this->add_places() ) );
		add_action( 'woocommerce_account_dashboard', Guarded::action( $this->services, 'woocommerce_account_dashboard', fn() => $this->print_place() ) );
	}

	/** Whether the merchant wants shoppers to see points. On unless switched off. */
	public static function is_on(): bool {
		$is_on = 'no' !== get_option( self::OPTION, 'yes' );
		return (bool) Guarded::call(
			Plugin::services(),
			'tillsync_show_points',
			static function () use ( $is_on ) {
				/**
				 * Whether points are shown to shoppers.
				 *
				 * @param bool $is_on As the merchant chose.
				 */
				return apply_filters( 'tillsync_show_points', $is_on );
			},
			$is_on
		);
	}

	/** Autoloaded: it is read on pages of the shop. */
	public static function switch( bool $on ): void {
		update_option( self::OPTION, $on ? 'yes' : 'no', true );
	}

	private function add_places(): void {
		$assets = plugins_url( 'assets/', \Tillsync\Bridge\PLUGIN_FILE );
		wp_register_script( self::HANDLE, $assets . 'points.js', array(), \Tillsync\Bridge\VERSION, true );
		wp_register_style( self::HANDLE, $assets . 'points.css', array(), \Tillsync\Bridge\VERSION );
		add_shortcode( self::SHORTCODE, fn() => Guarded::call( $this->services, 'shortcode of points', fn() => $this->place(), '' ) );
		register_block_type(
			dirname( \Tillsync\Bridge\PLUGIN_FILE ) . '/blocks/points',
			array( 'render_callback' => fn() => Guarded::call( $this->services, 'block of points', fn() => $this->place( get_block_wrapper_attributes() ), '' ) )
		);
		wp_set_script_translations( 'tillsync-points-editor-script', 'tillsync-bridge' );
	}

	private function print_place(): void {
		echo $this->place(); // phpcs:ignore WordPress.Security.EscapeOutput -- built below from fixed text.
	}

	/**
	 * The empty place; nothing for strangers, and where points are switched off.
	 *
	 * @param string $wrapper Attributes of the block, escaped by WordPress.
	 */
	private function place( string $wrapper = '' ): string {
		if ( ! is_user_logged_in() || ! self::is_on() ) {
			return '';
		}
		$this->enqueue();
		$place = '<div class="tillsync-points" data-tillsync-points aria-live="polite"></div>';
		return '' === $wrapper ? $place : "<div {$wrapper}>{$place}</div>";
	}

	private function enqueue(): void {
		if ( wp_script_is( self::HANDLE ) ) {
			return;
		}
		wp_enqueue_style( self::HANDLE );
		wp_enqueue_script( self::HANDLE );
		$given = array(
			'url'     => rest_url( ShopperPointsRoute::ADDRESS ),
			'nonce'   => wp_create_nonce( 'wp_rest' ),
			'confirm' => rest_url( ConfirmationPages::ADDRESS ),
			'renew'   => admin_url( 'admin-ajax.php?action=rest-nonce' ),
			'loading' => __( 'Loading your points …', 'tillsync-bridge' ),
			'failed'  => __( 'Your points cannot be shown just now.', 'tillsync-bridge' ),
			'unsent'  => __( 'The mail could not be sent just now. Try again later.', 'tillsync-bridge' ),
		);
		wp_add_inline_script( self::HANDLE, 'window.tillsyncPoints = ' . wp_json_encode( $given, JSON_HEX_TAG ) . ';', 'before' );
	}
}
