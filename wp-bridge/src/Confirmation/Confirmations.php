<?php
/**
 * Whether a user's email is known to be theirs.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Confirmation;

use Tillsync\Bridge\DatabaseError;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\SafeCall;
use Tillsync\Bridge\Schema\Tables;
use WP_User;

/**
 * An email is a claim until it is confirmed: whoever registers types it. A confirmation is kept for the email it was for, as a keyed hash;
 * another email is a claim again.
 */
class Confirmations {

	/** As the service reads them: EmailConfirmation of the contract. */
	public const UNCONFIRMED = 'EMAIL_CONFIRMATION_UNCONFIRMED';
	public const CONFIRMED   = 'EMAIL_CONFIRMATION_CONFIRMED';
	/** Unconfirmed, and not the email that the account was registered with. */
	public const CHANGED = 'EMAIL_CONFIRMATION_CHANGED';

	public const BY_MAIL        = 'mail';
	public const BY_PASSWORD    = 'password';
	public const BY_ADMIN       = 'admin';
	public const BY_WOOCOMMERCE = 'woocommerce';

	/** WooCommerce's own, since 11.0. It has no public function. */
	private const WOOCOMMERCE = 'Automattic\WooCommerce\Internal\CustomerEmailVerification\EmailVerificationService';

	public function __construct(
		private readonly Rematch $rematch,
		private readonly ConfirmationTable $confirmation_table,
		private readonly ConfirmationKey $confirmation_key,
		private readonly Tables $tables,
		private readonly Log $log
	) {}

	/**
	 * UNCONFIRMED, CONFIRMED or CHANGED.
	 *
	 * @throws DatabaseError
	 */
	public function state( WP_User $user ): string {
		$kept = $this->tables->is_current() ? $this->confirmation_table->find( $user->ID ) : null;
		if ( null !== $kept && '' !== $kept['email_hash'] && hash_equals( $kept['email_hash'], $this->confirmation_key->hash( (string) $user->user_email ) ) ) {
			return self::CONFIRMED;
		}
		if ( $this->woocommerce_says_so( $user->ID ) ) {
			return self::CONFIRMED;
		}
		return null !== $kept && ( 0 < $kept['changed_at'] || '' !== $kept['email_hash'] ) ? self::CHANGED : self::UNCONFIRMED;
	}

	/** Whether the email is confirmed. What cannot be read confirms nothing. */
	public function is_confirmed( int $user_id ): bool {
		$user = get_userdata( $user_id );
		return $user instanceof WP_User && true === SafeCall::run( $this->log, 'confirmation of an email', fn() => self::CONFIRMED === $this->state( $user ), false );
	}

	/**
	 * The present email is the user's, from now on.
	 *
	 * @param string $ground One of BY_….
	 * @throws DatabaseError
	 */
	public function confirm( WP_User $user, string $ground ): void {
		$this->confirmation_table->confirm( $user->ID, $this->confirmation_key->hash( (string) $user->user_email ), $ground );
		$this->rematch->of( $user->ID );
		SafeCall::run(
			$this->log,
			'tillsync_email_confirmed',
			static function () use ( $user, $ground ): void {
				/**
				 * The email of a user is known to be theirs: the next order links, and so does the newest one, which is matched again.
				 *
				 * @param int    $user_id The user.
				 * @param string $ground  mail, password, admin or woocommerce.
				 */
				do_action( 'tillsync_email_confirmed', $user->ID, $ground );
			}
		);
	}

	/** How it was confirmed, or that it is not, for people. */
	public function words( WP_User $user ): string {
		if ( self::CONFIRMED !== $this->state( $user ) ) {
			return __( 'Not confirmed: the shop shows this shopper no points, unless you link them by hand.', 'tillsync-bridge' );
		}
		$kept = $this->confirmation_table->find( $user->ID );
		$day  = null === $kept || 0 === $kept['confirmed_at'] ? '' : (string) wp_date( (string) get_option( 'date_format' ), $kept['confirmed_at'] );
		switch ( '' === $day ? self::BY_WOOCOMMERCE : $kept['ground'] ) {
			case self::BY_MAIL:
				/* translators: %s: date */
				return sprintf( __( 'Confirmed by a mail on %s', 'tillsync-bridge' ), $day );
			case self::BY_PASSWORD:
				/* translators: %s: date */
				return sprintf( __( 'Confirmed on %s: the password was set by a mailed link', 'tillsync-bridge' ), $day );
			case self::BY_ADMIN:
				/* translators: %s: date */
				return sprintf( __( 'Confirmed on %s by somebody who manages the shop', 'tillsync-bridge' ), $day );
			default:
				return __( 'Confirmed, as WooCommerce says', 'tillsync-bridge' );
		}
	}

	/** WooCommerce asks its own flag and then the filter; before 11.0 there is the filter only, for plugins that keep a flag. */
	private function woocommerce_says_so( int $user_id ): bool {
		return true === SafeCall::run(
			$this->log,
			'woocommerce_customer_email_is_verified',
			static function () use ( $user_id ): bool {
				if ( function_exists( 'wc_get_container' ) && class_exists( self::WOOCOMMERCE ) ) {
					return true === wc_get_container()->get( self::WOOCOMMERCE )->is_verified( $user_id );
				}
				// phpcs:ignore WordPress.NamingConventions.PrefixAllGlobals -- WooCommerce's own.
				return true === apply_filters( 'woocommerce_customer_email_is_verified', false, $user_id );
			},
			false
		);
	}
}
