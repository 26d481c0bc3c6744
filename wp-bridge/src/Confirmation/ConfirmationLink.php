<?php
/**
 * The link in the confirmation mail.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Confirmation;

use Tillsync\Bridge\Boot\EveryRequest;
use Tillsync\Bridge\Clock;
use WP_User;

/**
 * Signed, for one user and the email of that moment, good for two days. It is followed by whoever is logged in as that user: mail goes to
 * an address that a stranger may have typed, and its real owner, or a scanner of mail, must not confirm the stranger's account by a click.
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

	/** Whose link it is; 0: nobody's. Says nothing of its being good. */
	public static function user_id( string $token ): int {
		return preg_match( '/^([1-9]\d{0,17})-\d{1,12}-[0-9a-f]{64}$/D', $token, $parts ) ? (int) $parts[1] : 0;
	}

	/** Whether the link is of this user, of the email that the user has now, and not too old. */
	public function is_good( string $token, WP_User $user ): bool {
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
