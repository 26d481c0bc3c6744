<?php
/**
 * Confirmations of emails.
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
 * An email is unproven until it is confirmed, because users type it when they register. A confirmation belongs to one email, stored as a
 * keyed hash. Another email needs a new confirmation.
 */
class Confirmations {

	/** Values of the contract's EmailConfirmation. */
	public const UNCONFIRMED = 'EMAIL_CONFIRMATION_UNCONFIRMED';
	public const CONFIRMED   = 'EMAIL_CONFIRMATION_CONFIRMED';
	/** Unconfirmed, and another email than at the registration. */
	public const CHANGED = 'EMAIL_CONFIRMATION_CHANGED';

	public const BY_MAIL        = 'mail';
	public const BY_PASSWORD    = 'password';
	public const BY_ADMIN       = 'admin';
	public const BY_WOOCOMMERCE = 'woocommerce';

	/** Ground of a row whose user set a password without a mailed link. WooCommerce's flag proves nothing for that user. */
	public const UNPROVEN = 'unproven';

	/** WooCommerce's own service, since 11.0. WooCommerce has no public function for it. */
	private const WOOCOMMERCE = 'Automattic\WooCommerce\Internal\CustomerEmailVerification\EmailVerificationService';

	public function __construct(
		private readonly Rematch $rematch,
		private readonly ConfirmationTable $confirmation_table,
		private readonly ConfirmationKey $confirmation_key,
		private readonly Tables $tables,
		private readonly Log $log
	) {}

	/**
	 * Returns UNCONFIRMED, CONFIRMED or CHANGED.
	 *
	 * @throws DatabaseError
	 */
	public function state( WP_User $user ): string {
		$row = $this->tables->is_at_least( 2 ) ? $this->confirmation_table->find( $user->ID ) : null;
		if ( null !== $row && '' !== $row['email_hash'] && hash_equals( $row['email_hash'], $this->confirmation_key->hash( (string) $user->user_email ) ) ) {
			return self::CONFIRMED;
		}
		if ( ( null === $row || self::UNPROVEN !== $row['ground'] ) && $this->is_verified_by_woocommerce( $user->ID ) ) {
			return self::CONFIRMED;
		}
		return null !== $row && ( 0 < $row['changed_at'] || '' !== $row['email_hash'] ) ? self::CHANGED : self::UNCONFIRMED;
	}

	/** Tells whether the email is confirmed. A failed read counts as no. */
	public function is_confirmed( int $user_id ): bool {
		$user = get_userdata( $user_id );
		return $user instanceof WP_User && true === SafeCall::run( $this->log, 'confirmation of an email', fn() => self::CONFIRMED === $this->state( $user ), false );
	}

	/**
	 * Records that the user set a password without a mailed link. WooCommerce 11 takes every reset_password() for a proof of the email, also
	 * that of a plugin that lets people choose their password when they register.
	 *
	 * @throws DatabaseError
	 */
	public function note_unproven( WP_User $user ): void {
		if ( self::CONFIRMED !== $this->state( $user ) ) {
			$this->confirmation_table->note_unproven( $user->ID );
		}
	}

	/**
	 * Confirms the present email of the user.
	 *
	 * @param string $ground One of the BY_… constants.
	 * @throws DatabaseError
	 */
	public function confirm( WP_User $user, string $ground ): void {
		$this->confirmation_table->confirm( $user->ID, $this->confirmation_key->hash( (string) $user->user_email ), $ground );
		$this->rematch->request( $user->ID );
		SafeCall::run(
			$this->log,
			'tillsync_email_confirmed',
			static function () use ( $user, $ground ): void {
				/**
				 * Fires after a user's email was confirmed. The newest order is matched again, so it and later orders link the user.
				 *
				 * @param int    $user_id Id of the user.
				 * @param string $ground  mail, password, admin or woocommerce.
				 */
				do_action( 'tillsync_email_confirmed', $user->ID, $ground );
			}
		);
	}

	/** Returns how the email was confirmed, or that it is not confirmed, for people. */
	public function label( WP_User $user ): string {
		if ( self::CONFIRMED !== $this->state( $user ) ) {
			return __( 'Not confirmed: the shop shows this shopper no points, unless you link them by hand.', 'tillsync-bridge' );
		}
		$row = $this->confirmation_table->find( $user->ID );
		$day = null === $row || 0 === $row['confirmed_at'] ? '' : (string) wp_date( (string) get_option( 'date_format' ), $row['confirmed_at'] );
		switch ( '' === $day ? self::BY_WOOCOMMERCE : $row['ground'] ) {
			case self::BY_MAIL:
				/* translators: %s: date */
				return sprintf( __( 'Confirmed by a mail on %s', 'tillsync-bridge' ), $day );
			case self::BY_PASSWORD:
				/* translators: %s: date */
				return sprintf( __( 'Confirmed on %s: the password was set by a mailed link', 'tillsync-bridge' ), $day );
			case self::BY_ADMIN:
				/* translators: %s: date */
				return sprintf( __( 'Confirmed on %s by a shop manager', 'tillsync-bridge' ), $day );
			default:
				return __( 'Confirmed, as WooCommerce says', 'tillsync-bridge' );
		}
	}

	/**
	 * Returns WooCommerce's own state: its flag since 11.0, or the filter, for plugins with a flag of their own.
	 */
	private function is_verified_by_woocommerce( int $user_id ): bool {
		return true === SafeCall::run(
			$this->log,
			'woocommerce_customer_email_is_verified',
			static function () use ( $user_id ): bool {
				if ( function_exists( 'wc_get_container' ) && class_exists( self::WOOCOMMERCE ) && true === wc_get_container()->get( self::WOOCOMMERCE )->is_verified( $user_id ) ) {
					return true;
				}
				// phpcs:ignore WordPress.NamingConventions.PrefixAllGlobals -- WooCommerce's own.
				return true === apply_filters( 'woocommerce_customer_email_is_verified', false, $user_id );
			},
			false
		);
	}
}
