<?php
/**
 * The link of the confirmation mail.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Confirmation;

use Tillsync\Bridge\Boot\EveryRequest;
use Tillsync\Bridge\Clock;
use WP_User;

/**
 * The link is signed for one user and the user's email at that moment. It is valid for two days. Only the logged-in user can use it. A
 * person may register with another person's address, and a click by the address's owner, or by a mail scanner, must not confirm that
 * account.
 */
class ConfirmationLink {

	public const PARAMETER = EveryRequest::CONFIRMATION_PARAMETER;

	private const SECONDS = 2 * DAY_IN_SECONDS;

	public function __construct( private readonly ConfirmationKey $confirmation_key, private readonly Clock $clock ) {}

	public function url( WP_User $user ): string {
		$expires = $this->clock->now() + self::SECONDS;
		$token   = $user->ID . '-' . $expires . '-' . $this->signature( $user, $expires );
		return add_query_arg( self::PARAMETER, $token, wc_get_page_permalink( 'myaccount' ) );
	}

	/** Returns the id of the token's user, or 0 for a malformed token. It does not check the signature. */
	public static function user_id( string $token ): int {
		return preg_match( '/^([1-9]\d{0,17})-\d{1,12}-[0-9a-f]{64}$/D', $token, $parts ) ? (int) $parts[1] : 0;
	}

	/** Tells whether the token is of this user and of the user's present email, and has not expired. */
	public function is_valid( string $token, WP_User $user ): bool {
		if ( self::user_id( $token ) !== $user->ID ) {
			return false;
		}
		list( , $expires, $signature ) = explode( '-', $token );
		// invariant: confirmation-links-are-signed
		if ( ! hash_equals( $this->signature( $user, (int) $expires ), $signature ) ) {
			return false;
		}
		return $this->clock->now() < (int) $expires;
	}

	private function signature( WP_User $user, int $expires ): string {
		return $this->confirmation_key->sign( 'link', $user->ID . '|' . $expires . '|' . $this->confirmation_key->hash( (string) $user->user_email ) );
	}
}
