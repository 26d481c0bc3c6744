<?php
/**
 * Confirmation by a shop manager.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Confirmation;

use Tillsync\Bridge\Connection\CopyGuard;
use Tillsync\Bridge\Customers\LinkRoutes;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\Rest\AdminGate;
use Tillsync\Bridge\SafeCall;
use WP_User;

/** Handles "Email confirmed": for one user in the user list and on the profile, for several users as a bulk action. */
final class ConfirmationActions {

	public const ACTION = 'tillsync_bridge_confirm_email';
	public const COUNT_PARAMETER   = 'tillsync_confirmed';

	public function __construct(
		private readonly Confirmations $confirmations,
		private readonly CopyGuard $copy_guard,
		private readonly Log $log
	) {}

	/** Returns the address of the action "Email confirmed". */
	public static function url( int $user_id ): string {
		return wp_nonce_url( admin_url( 'admin-post.php?action=' . self::ACTION . '&user=' . $user_id ), self::ACTION . $user_id );
	}

	/**
	 * @param mixed $actions Actions of the row.
	 * @param mixed $user    User of the row.
	 * @return mixed
	 */
	public function with_row_action( $actions = array(), $user = null ) {
		if ( is_array( $actions ) && $user instanceof WP_User && LinkRoutes::is_allowed( $user->ID ) && null !== $this->copy_guard->usable() && ! $this->confirmations->is_confirmed( $user->ID ) ) {
			$actions['tillsync_confirm'] = sprintf( '<a href="%s">%s</a>', esc_url( self::url( $user->ID ) ), esc_html__( 'Email confirmed', 'tillsync-bridge' ) );
		}
		return $actions;
	}

	/**
	 * @param mixed $actions Bulk actions of the list.
	 * @return mixed
	 */
	public function with_bulk_action( $actions = array() ) {
		return is_array( $actions ) && current_user_can( AdminGate::CAPABILITY ) ? $actions + array( self::ACTION => __( 'Email confirmed (Till sync)', 'tillsync-bridge' ) ) : $actions;
	}

	public function confirm_one(): void {
		// phpcs:ignore WordPress.Security.NonceVerification.Recommended -- checked below; the nonce contains the user's id.
		$user_id = isset( $_GET['user'] ) ? absint( $_GET['user'] ) : 0;
		if ( ! LinkRoutes::is_allowed( $user_id ) ) {
			wp_die( esc_html__( 'You may not edit this user.', 'tillsync-bridge' ), '', array( 'response' => 403 ) );
		}
		check_admin_referer( self::ACTION . $user_id );
		$number = SafeCall::run( $this->log, 'email confirmed', fn() => $this->confirm( array( $user_id ) ), 0 );
		$back   = wp_get_referer();
		wp_safe_redirect( add_query_arg( self::COUNT_PARAMETER, (int) $number, false === $back ? admin_url( 'users.php' ) : $back ) );
		exit;
	}

	/**
	 * Confirms the chosen users. It checks the nonce, because WordPress checks none for bulk actions of plugins.
	 *
	 * @param mixed $to     Address of the redirect.
	 * @param mixed $action The chosen action.
	 * @param mixed $users  Ids of the chosen users.
	 * @return mixed
	 */
	public function bulk( $to = '', $action = '', $users = array() ) {
		if ( self::ACTION !== $action || ! is_array( $users ) || ! current_user_can( AdminGate::CAPABILITY ) ) {
			return $to;
		}
		check_admin_referer( 'bulk-users' );
		return add_query_arg( self::COUNT_PARAMETER, $this->confirm( array_filter( array_map( 'absint', $users ), array( LinkRoutes::class, 'is_allowed' ) ) ), (string) $to );
	}

	/** @param int[] $user_ids Ids of users whom the present user may edit. */
	private function confirm( array $user_ids ): int {
		$number = 0;
		foreach ( $user_ids as $user_id ) {
			$user = get_userdata( $user_id );
			if ( $user instanceof WP_User ) {
				$this->confirmations->confirm( $user, Confirmations::BY_ADMIN );
				++$number;
			}
		}
		return $number;
	}

	public function show_notice(): void {
		// phpcs:ignore WordPress.Security.NonceVerification.Recommended -- only a number to print.
		if ( ! isset( $_GET[ self::COUNT_PARAMETER ] ) || ! current_user_can( AdminGate::CAPABILITY ) ) {
			return;
		}
		$number = absint( $_GET[ self::COUNT_PARAMETER ] ); // phpcs:ignore WordPress.Security.NonceVerification.Recommended
		/* translators: %s: number of users */
		printf( '<div class="notice notice-success is-dismissible"><p>%s</p></div>', esc_html( sprintf( _n( '%s email is confirmed. Points of a shopper with an order arrive in a moment.', '%s emails are confirmed. Points of shoppers with an order arrive in a moment.', $number, 'tillsync-bridge' ), number_format_i18n( $number ) ) ) );
	}
}
