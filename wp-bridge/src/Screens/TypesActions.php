<?php
/**
 * Save actions of the customer types screen.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Screens;

use Tillsync\Bridge\Customers\PointsSwitch;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\Rest\AdminGate;
use Tillsync\Bridge\SafeCall;
use Tillsync\Bridge\Types\CustomerType;
use Tillsync\Bridge\Types\RoleMap;
use Tillsync\Bridge\Types\RoleRules;
use Tillsync\Bridge\Types\RoleRun;
use Tillsync\Bridge\Types\TypeTable;

/** Handles posts to admin-post.php, with a nonce for each form and the right to manage the shop. It needs no script. */
final class TypesActions {

	public const SAVE_MAP    = 'tillsync_save_role_map';
	public const SAVE_POINTS = 'tillsync_save_points_display';

	public function __construct(
		private readonly RoleRun $role_run,
		private readonly RoleRules $role_rules,
		private readonly PointsSwitch $points_switch,
		private readonly TypeTable $types,
		private readonly Log $log
	) {}

	/** The checks are outside of SafeCall, because they end the request. */
	private function handle( string $action, \Closure $body ): void {
		if ( ! current_user_can( AdminGate::CAPABILITY ) ) {
			wp_die( esc_html__( 'You may not manage this shop.', 'tillsync-bridge' ), '', array( 'response' => 403, 'back_link' => true ) );
		}
		check_admin_referer( $action );
		$done = SafeCall::run( $this->log, $action, static fn() => $body() ?? true, false );
		if ( false === $done ) {
			Flash::store( 'error', array( __( 'Not saved: something failed in the plugin, see the log of Tillsync.', 'tillsync-bridge' ) ) );
		}
		wp_safe_redirect( TypesScreen::address() );
		exit;
	}

	public function save_map(): void {
		$this->handle( self::SAVE_MAP, fn() => $this->store_map() );
	}

	public function save_points(): void {
		$this->handle( self::SAVE_POINTS, fn() => $this->store_points() );
	}

	private function store_map(): void {
		// phpcs:ignore WordPress.Security -- nonce checked by the caller; RoleMap takes only texts of roles that are checked below.
		$map      = RoleMap::of( wp_unslash( $_POST['map'] ?? array() ) );
		$problems = $map->problems( $this->role_rules );
		if ( array() !== $problems ) {
			$types = $this->types->all();
			$lines = array( __( 'Nothing was saved.', 'tillsync-bridge' ) );
			foreach ( $problems as $type_id => $problem ) {
				$lines[] = CustomerType::label( $type_id, $types[ $type_id ] ?? null ) . ': ' . $problem;
			}
			Flash::store( 'error', $lines );
			return;
		}
		$before = RoleMap::saved();
		$map->save();
		// Types of the mapping before are checked too, so that their members lose the role.
		$this->role_run->check_all( $before->type_ids() );
		Flash::store( 'success', array( __( 'Saved. Roles are given and taken in the background.', 'tillsync-bridge' ) ) );
	}

	private function store_points(): void {
		// phpcs:ignore WordPress.Security.NonceVerification -- checked by the caller.
		$this->points_switch->set( isset( $_POST['show_points'] ) );
		Flash::store( 'success', array( __( 'Saved.', 'tillsync-bridge' ) ) );
	}
}
