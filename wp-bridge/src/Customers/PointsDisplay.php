<?php
/**
 * Points on shop pages.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Customers;

use Closure;
use Tillsync\Bridge\Confirmation\ConfirmationPages;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\Rest\ShopperPointsRoute;
use Tillsync\Bridge\SafeCall;

/**
 * Prints an empty element that a script fills with the points: on the My Account dashboard, by the block tillsync/points and by the
 * shortcode [tillsync_points]. The page itself contains no value, so no page cache can show one shopper's points to another.
 */
final class PointsDisplay {

	public const SHORTCODE = 'tillsync_points';

	private const HANDLE = 'tillsync-points';

	public function __construct( private readonly PointsSwitch $switch, private readonly Log $log ) {}

	/** @param Closure(): self $made Creates the object when an element is printed. Most pages print none. */
	public static function add_places( Closure $made ): void {
		$assets = plugins_url( 'assets/', \Tillsync\Bridge\PLUGIN_FILE );
		wp_register_script( self::HANDLE, $assets . 'points.js', array(), \Tillsync\Bridge\VERSION, true );
		wp_register_style( self::HANDLE, $assets . 'points.css', array(), \Tillsync\Bridge\VERSION );
		add_shortcode( self::SHORTCODE, static fn() => $made()->printed( 'shortcode of points' ) );
		register_block_type(
			dirname( \Tillsync\Bridge\PLUGIN_FILE ) . '/blocks/points',
			array( 'render_callback' => static fn() => $made()->printed( 'block of points', true ) )
		);
		wp_set_script_translations( 'tillsync-points-editor-script', 'tillsync-bridge' );
	}

	public function print_place(): void {
		echo $this->place(); // phpcs:ignore WordPress.Security.EscapeOutput -- built below from fixed text.
	}

	private function printed( string $where, bool $is_block = false ): string {
		return (string) SafeCall::run( $this->log, $where, fn() => $this->place( $is_block ? get_block_wrapper_attributes() : '' ), '' );
	}

	/**
	 * Returns the empty element. The text is empty for visitors who are not logged in, and when points are switched off.
	 *
	 * @param string $wrapper Attributes of the block, escaped by WordPress.
	 */
	private function place( string $wrapper = '' ): string {
		if ( ! is_user_logged_in() || ! $this->switch->is_on() ) {
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
