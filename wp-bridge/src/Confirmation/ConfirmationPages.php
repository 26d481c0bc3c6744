<?php
/**
 * Asking for the confirmation mail, and following its link.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Confirmation;

use Tillsync\Bridge\Customers\PointsDisplay;
use Tillsync\Bridge\Emails\ConfirmationEmail;
use Tillsync\Bridge\Guarded;
use Tillsync\Bridge\Part;
use Tillsync\Bridge\Rest\AdminGate;
use Tillsync\Bridge\Rest\NeverKept;
use Tillsync\Bridge\Services;
use WP_Error;
use WP_REST_Response;
use WP_User;

/** POST tillsync-bridge/v1/confirmation, for whoever is logged in; and My Account with the link's parameter. */
final class ConfirmationPages implements Part {

	public const ADDRESS = AdminGate::NAMESPACE . '/confirmation';

	private Services $services;

	public function __construct( Services $services ) {
		$this->services = $services;
	}

	public function register(): void {
		add_action( 'rest_api_init', Guarded::action( $this->services, 'rest_api_init', fn() => $this->add_route() ) );
		add_action( 'template_redirect', Guarded::action( $this->services, 'confirmation link', fn() => $this->follow() ), 5 );
	}

	private function add_route(): void {
		register_rest_route(
			AdminGate::NAMESPACE,
			'/confirmation',
			array(
				'methods'             => 'POST',
				'permission_callback' => array( $this, 'permission' ),
				'callback'            => array( $this, 'answer' ),
			)
		);
	}

	/** @return true|WP_Error */
	public function permission() {
		if ( ! is_user_logged_in() ) {
			return new WP_Error( 'rest_not_logged_in', __( 'Log in to confirm your email.', 'tillsync-bridge' ), array( 'status' => 401 ) );
		}
		return PointsDisplay::is_on() ? true : new WP_Error( 'tillsync_points_off', __( 'This shop does not show points.', 'tillsync-bridge' ), array( 'status' => 403 ) );
	}

	/** @return WP_REST_Response|WP_Error */
	public function answer() {
		$response = Guarded::call( $this->services, 'confirmation mail', fn() => NeverKept::response( array( 'said' => $this->send( wp_get_current_user() ) ) ) );
		return $response instanceof WP_REST_Response ? $response : new WP_Error( 'tillsync_failed', __( 'The mail could not be sent just now. Try again later.', 'tillsync-bridge' ), array( 'status' => 500 ) );
	}

	private function send( WP_User $user ): string {
		if ( $this->services->get( Confirmations::class )->is_confirmed( $user->ID ) ) {
			return __( 'Your email is confirmed already.', 'tillsync-bridge' );
		}
		$email = WC()->mailer()->get_emails()[ ConfirmationEmail::CLASS_KEY ] ?? null;
		if ( ! $email instanceof ConfirmationEmail || ! $email->is_enabled() ) {
			return __( 'This shop sends no confirmation mails. Ask the shop to confirm your email.', 'tillsync-bridge' );
		}
		if ( ! $this->services->get( ConfirmationTable::class )->claim_mail( $user->ID ) ) {
			return __( 'A mail was sent a moment ago, or several were today. Look for it, also among unwanted mail, or try again later.', 'tillsync-bridge' );
		}
		if ( ! $email->trigger( $user, $this->services->get( ConfirmationLink::class )->url( $user ) ) ) {
			$this->services->log()->warning( 'a confirmation mail could not be sent' );
			return __( 'The mail could not be sent just now. Try again later.', 'tillsync-bridge' );
		}
		return __( 'We have sent you a mail. Follow its link to confirm your email; it is good for two days.', 'tillsync-bridge' );
	}

	/** Whoever has the link and is logged in as its user. A stranger to the session logs in first, and comes back to the same address. */
	private function follow(): void {
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
		if ( ! $this->services->get( ConfirmationLink::class )->is_good( $token, $user ) ) {
			wc_add_notice( ConfirmationLink::user_id( $token ) === $user->ID ? __( 'This link is too old, or of an email that you have changed since. Ask for another mail below.', 'tillsync-bridge' ) : __( 'This link is of another account.', 'tillsync-bridge' ), 'error' );
		} elseif ( ! $this->services->get( Confirmations::class )->is_confirmed( $user->ID ) ) {
			$this->services->get( Confirmations::class )->confirm( $user, Confirmations::BY_MAIL );
			wc_add_notice( __( 'Thank you: your email is confirmed.', 'tillsync-bridge' ) );
		}
		if ( wp_safe_redirect( wc_get_page_permalink( 'myaccount' ) ) ) {
			exit;
		}
	}
}
