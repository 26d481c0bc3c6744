<?php
/**
 * Saving on the screen of customer types.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Screens;

use Tillsync\Bridge\Customers\PointsDisplay;
use Tillsync\Bridge\Guarded;
use Tillsync\Bridge\Part;
use Tillsync\Bridge\Rest\AdminGate;
use Tillsync\Bridge\Services;
use Tillsync\Bridge\Types\CustomerType;
use Tillsync\Bridge\Types\RoleMap;
use Tillsync\Bridge\Types\RoleRun;

/** Through admin-post.php, with a nonce of each form and the right to manage the shop; needs no script. */
final class TypesActions implements Part {

	public const SAVE_MAP    = 'tillsync_save_role_map';
	public const SAVE_POINTS = 'tillsync_save_points_display';

	private Services $services;

	public function __construct( Services $services ) {
		$this->services = $services;
	}

	public function register(): void {
		add_action( 'admin_post_' . self::SAVE_MAP, fn() => $this->handle( self::SAVE_MAP, fn() => $this->save_map() ) );
		add_action( 'admin_post_' . self::SAVE_POINTS, fn() => $this->handle( self::SAVE_POINTS, fn() => $this->save_points() ) );
	}

	/** The checks stand outside the guard: they end the request by themselves. */
	private function handle( string $action, \Closure $body ): void {
		if ( ! current_user_can( AdminGate::CAPABILITY ) ) {
			wp_die( esc_html__( 'You may not manage this shop.', 'tillsync-bridge' ), '', array( 'response' => 403, 'back_link' => true ) );
		}
		check_admin_referer( $action );
		$done = Guarded::call( $this->services, $action, static fn() => $body() ?? true, false );
		if ( false === $done ) {
			Flash::keep( 'error', array( __( 'Not saved: something failed in the plugin, see the log of Tillsync.', 'tillsync-bridge' ) ) );
		}
		wp_safe_redirect( TypesScreen::address() );
		exit;
	}

	private function save_map(): void {
		// phpcs:ignore WordPress.Security -- nonce checked by the caller; RoleMap takes only texts of roles that are checked below.
		$wanted   = RoleMap::of( wp_unslash( $_POST['map'] ?? array() ) );
		$problems = $wanted->problems( $this->services );
		if ( array() !== $problems ) {
			$types = $this->services->types()->all();
			$lines = array( __( 'Nothing was saved.', 'tillsync-bridge' ) );
			foreach ( $problems as $type_id => $problem ) {
				$lines[] = CustomerType::label( $type_id, $types[ $type_id ] ?? null ) . ': ' . $problem;
			}
			Flash::keep( 'error', $lines );
			return;
		}
		$before = RoleMap::saved();
		$wanted->save();
		// The types that had a role before lose it.
		$this->services->get( RoleRun::class )->look_at_all( $before->type_ids() );
		Flash::keep( 'success', array( __( 'Saved. Roles are given and taken in the background.', 'tillsync-bridge' ) ) );
	}

	private function save_points(): void {
		// phpcs:ignore WordPress.Security.NonceVerification -- checked by the caller.
		PointsDisplay::switch( isset( $_POST['show_points'] ) );
		Flash::keep( 'success', array( __( 'Saved.', 'tillsync-bridge' ) ) );
	}
}
