<?php
/**
 * Requests for the confirmation mail and visits of its link.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Confirmation;

use Closure;
use Tillsync\Bridge\Customers\PointsSwitch;
use Tillsync\Bridge\Emails\ConfirmationEmail;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\Rest\AdminGate;
use Tillsync\Bridge\Rest\NoStoreResponse;
use Tillsync\Bridge\SafeCall;
use WP_Error;
use WP_REST_Response;
use WP_User;

/** Serves POST tillsync-bridge/v1/confirmation for logged-in users, and My Account with the link's parameter. */
final class ConfirmationPages {

	public const ADDRESS = AdminGate::NAMESPACE . '/confirmation';

	public function __construct(
		private readonly PointsSwitch $points_switch,
		private readonly Confirmations $confirmations,
		private readonly ConfirmationTable $confirmation_table,
		private readonly ConfirmationLink $confirmation_link,
		private readonly Log $log
	) {}

	/** @param Closure(): self $made Creates the object when a request comes. */
	public static function add_routes( Closure $made ): void {
		register_rest_route(
			AdminGate::NAMESPACE,
			'/confirmation',
			array(
				'methods'             => 'POST',
				'permission_callback' => static fn() => $made()->permission(),
				'callback'            => static fn() => $made()->answer(),
			)
		);
	}

	/** @return true|WP_Error */
	public function permission() {
		if ( ! is_user_logged_in() ) {
			return new WP_Error( 'rest_not_logged_in', __( 'Log in to confirm your email.', 'tillsync-bridge' ), array( 'status' => 401 ) );
		}
		return $this->points_switch->is_on() ? true : new WP_Error( 'tillsync_points_off', __( 'This shop does not show points.', 'tillsync-bridge' ), array( 'status' => 403 ) );
	}

	/** @return WP_REST_Response|WP_Error */
	public function answer() {
		$response = SafeCall::run( $this->log, 'confirmation mail', fn() => NoStoreResponse::of( array( 'said' => $this->send( wp_get_current_user() ) ) ) );
		return $response instanceof WP_REST_Response ? $response : new WP_Error( 'tillsync_failed', __( 'The mail could not be sent just now. Try again later.', 'tillsync-bridge' ), array( 'status' => 500 ) );
	}

	private function send( WP_User $user ): string {
		if ( $this->confirmations->is_confirmed( $user->ID ) ) {
			return __( 'Your email is confirmed already.', 'tillsync-bridge' );
		}
		$email = WC()->mailer()->get_emails()[ ConfirmationEmail::CLASS_KEY ] ?? null;
		if ( ! $email instanceof ConfirmationEmail || ! $email->is_enabled() ) {
			return __( 'This shop sends no confirmation mails. Ask the shop to confirm your email.', 'tillsync-bridge' );
		}
		if ( ! $this->confirmation_table->claim_mail( $user->ID ) ) {
			return __( 'A mail was sent a moment ago, or several were today. Look for it, also among unwanted mail, or try again later.', 'tillsync-bridge' );
		}
		if ( ! $email->trigger( $user, $this->confirmation_link->url( $user ) ) ) {
			$this->log->warning( 'a confirmation mail could not be sent' );
			return __( 'The mail could not be sent just now. Try again later.', 'tillsync-bridge' );
		}
		return __( 'We have sent you a mail. Follow its link to confirm your email; it is good for two days.', 'tillsync-bridge' );
	}

	/**
	 * Confirms the email of the logged-in user by the link. A visitor who is not logged in logs in first and returns to the same address.
	 */
	public function follow(): void {
		// phpcs:ignore WordPress.Security.NonceVerification.Recommended -- the link is signed.
		$token = isset( $_GET[ ConfirmationLink::PARAMETER ] ) && is_string( $_GET[ ConfirmationLink::PARAMETER ] ) ? sanitize_text_field( wp_unslash( $_GET[ ConfirmationLink::PARAMETER ] ) ) : '';
		if ( '' === $token ) {
			return;
		}
		nocache_headers();
		if ( ! is_user_logged_in() ) {
			wc_add_notice( __( 'Log in to confirm your email.', 'tillsync-bridge' ), 'notice' );
			return;
		}
		$user = wp_get_current_user();
		if ( ! $this->confirmation_link->is_valid( $token, $user ) ) {
			wc_add_notice( ConfirmationLink::user_id( $token ) === $user->ID ? __( 'This link is too old, or of an email that you have changed since. Ask for another mail below.', 'tillsync-bridge' ) : __( 'This link is of another account.', 'tillsync-bridge' ), 'error' );
		} elseif ( ! $this->confirmations->is_confirmed( $user->ID ) ) {
			$this->confirmations->confirm( $user, Confirmations::BY_MAIL );
			wc_add_notice( __( 'Thank you: your email is confirmed.', 'tillsync-bridge' ) );
		}
		if ( wp_safe_redirect( wc_get_page_permalink( 'myaccount' ) ) ) {
			exit;
		}
	}
}
