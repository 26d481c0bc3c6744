<?php
/**
 * Hooks that change a confirmation.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Confirmation;

use Tillsync\Bridge\Schema\Tables;
use WP_User;

/**
 * A password set with the key of a mailed link proves that the mail arrived. Such links come from "lost password", from WooCommerce's "set
 * your password" after a registration without one, and from WordPress for new users. WordPress deletes the key when the email changes.
 */
final class ConfirmationHooks {

	public function __construct(
		private readonly ConfirmationTable $confirmation_table,
		private readonly Rematch $rematch,
		private readonly Confirmations $confirmations,
		private readonly Tables $tables
	) {}

	/** @param mixed $user The hook's argument. */
	public function password_was_set( $user = null ): void {
		if ( ! $user instanceof WP_User || ! $this->tables->is_at_least( 2 ) ) {
			return;
		}
		$stored = get_userdata( $user->ID );
		if ( ! $stored instanceof WP_User ) {
			return;
		}
		// invariant: only-a-mailed-key-confirms
		if ( '' === (string) $stored->user_activation_key ) {
			$this->confirmations->note_unproven( $stored );
			return;
		}
		$this->confirmations->confirm( $stored, Confirmations::BY_PASSWORD );
	}

	/**
	 * @param mixed $user_id The hook's argument.
	 * @param mixed $before  The user before the update.
	 */
	public function profile_was_updated( $user_id = 0, $before = null ): void {
		$user = is_numeric( $user_id ) ? get_userdata( (int) $user_id ) : false;
		if ( ! $user instanceof WP_User || ! is_object( $before ) || 0 === strcasecmp( (string) ( $before->user_email ?? '' ), (string) $user->user_email ) ) {
			return;
		}
		// The email is the same on every site of a network.
		$sites = is_multisite() ? array_map( static fn( $site ) => (int) $site->userblog_id, get_blogs_of_user( $user->ID ) ) : array( get_current_blog_id() );
		foreach ( $sites as $site_id ) {
			$switched = is_multisite() && get_current_blog_id() !== $site_id && switch_to_blog( $site_id );
			try {
				if ( $this->tables->is_at_least( 2 ) ) {
					$this->confirmation_table->email_changed( $user->ID );
				}
			} finally {
				if ( $switched ) {
					restore_current_blog();
				}
			}
		}
	}

	/** @param mixed $user_id The hook's argument. */
	public function woocommerce_verified( $user_id = 0 ): void {
		$user = is_numeric( $user_id ) ? get_userdata( (int) $user_id ) : false;
		if ( $user instanceof WP_User && $this->tables->is_at_least( 2 ) ) {
			// The plugin stores no confirmation here, because WooCommerce owns the flag and may clear it.
			$this->rematch->request( $user->ID );
		}
	}

	/** @param mixed $user_id The hook's argument. */
	public function forget( $user_id = 0 ): void {
		if ( is_numeric( $user_id ) && 0 < (int) $user_id && $this->tables->is_at_least( 2 ) ) {
			$this->confirmation_table->forget( (int) $user_id );
		}
	}
}
