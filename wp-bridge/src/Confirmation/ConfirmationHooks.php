<?php
/**
 * What happens elsewhere that confirms an email, or makes it a claim again.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Confirmation;

use Tillsync\Bridge\Guarded;
use Tillsync\Bridge\Part;
use Tillsync\Bridge\Services;
use WP_User;

/**
 * A password that is set with the key of a mailed link shows that the mail arrived: "lost password", WooCommerce's "set your password"
 * after a registration without one, and WordPress's for new users. WordPress drops the key when the email changes.
 */
final class ConfirmationHooks implements Part {

	private Services $services;

	public function __construct( Services $services ) {
		$this->services = $services;
	}

	public function register(): void {
		// Before the password is set, and the key with it taken away.
		add_action( 'password_reset', Guarded::action( $this->services, 'password_reset', fn( $user = null ) => $this->password_was_set( $user ) ) );
		add_action( 'profile_update', Guarded::action( $this->services, 'profile_update', fn( $user_id = 0, $before = null ) => $this->profile_was_updated( $user_id, $before ) ), 10, 2 );
		add_action( 'woocommerce_customer_email_verified', Guarded::action( $this->services, 'woocommerce_customer_email_verified', fn( $user_id = 0 ) => $this->woocommerce_verified( $user_id ) ) );
		add_action( 'deleted_user', Guarded::action( $this->services, 'deleted_user', fn( $user_id = 0 ) => $this->forget( $user_id ) ) );
		add_action( 'remove_user_from_blog', Guarded::action( $this->services, 'remove_user_from_blog', fn( $user_id = 0 ) => $this->forget( $user_id ) ) );
	}

	/** @param mixed $user Whatever the hook was fired with. */
	private function password_was_set( $user ): void {
		if ( ! $user instanceof WP_User || ! $this->services->tables()->is_current() ) {
			return;
		}
		$stored = get_userdata( $user->ID );
		// invariant: only-a-mailed-key-confirms
		if ( ! $stored instanceof WP_User || '' === (string) $stored->user_activation_key ) {
			return;
		}
		$this->confirmations()->confirm( $stored, Confirmations::BY_PASSWORD );
	}

	/**
	 * @param mixed $user_id Whatever the hook was fired with.
	 * @param mixed $before  The user as before.
	 */
	private function profile_was_updated( $user_id, $before ): void {
		$user = is_numeric( $user_id ) ? get_userdata( (int) $user_id ) : false;
		if ( ! $user instanceof WP_User || ! is_object( $before ) || 0 === strcasecmp( (string) ( $before->user_email ?? '' ), (string) $user->user_email ) ) {
			return;
		}
		// The email is the same on every site of a network.
		$sites = is_multisite() ? array_map( static fn( $site ) => (int) $site->userblog_id, get_blogs_of_user( $user->ID ) ) : array( get_current_blog_id() );
		foreach ( $sites as $site_id ) {
			$switched = is_multisite() && get_current_blog_id() !== $site_id && switch_to_blog( $site_id );
			try {
				if ( $this->services->tables()->is_current() ) {
					$this->services->get( ConfirmationTable::class )->email_changed( $user->ID );
				}
			} finally {
				if ( $switched ) {
					restore_current_blog();
				}
			}
		}
	}

	/** @param mixed $user_id Whatever the hook was fired with. */
	private function woocommerce_verified( $user_id ): void {
		$user = is_numeric( $user_id ) ? get_userdata( (int) $user_id ) : false;
		if ( $user instanceof WP_User && $this->services->tables()->is_current() ) {
			// Only what follows from it: the flag is WooCommerce's, and may be taken away there.
			$this->services->get( Rematch::class )->of( $user->ID );
		}
	}

	/** @param mixed $user_id Whatever the hook was fired with. */
	private function forget( $user_id ): void {
		if ( is_numeric( $user_id ) && 0 < (int) $user_id && $this->services->tables()->is_current() ) {
			$this->services->get( ConfirmationTable::class )->forget( (int) $user_id );
		}
	}

	private function confirmations(): Confirmations {
		return $this->services->get( Confirmations::class );
	}
}
