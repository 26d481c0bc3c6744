<?php
/**
 * Links without a confirmed email.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Screens;

use Tillsync\Bridge\Service\ServiceClient;
use Tillsync\Bridge\Service\ServiceError;

/**
 * Lists the links from before confirmations, and the links of trusted accounts. Their shoppers see points as before, and the merchant may
 * check each link.
 */
class UnconfirmedLinks {

	private const LIMIT           = 50;
	private const TIMEOUT_SECONDS = 15;

	public function __construct( private readonly ServiceClient $service_client ) {}

	/**
	 * Returns one line per link, for the screen.
	 *
	 * @return string[]
	 * @throws ServiceError
	 */
	public function lines(): array {
		$answer = $this->service_client->call( 'LinkService', 'ListLinks', array( 'unconfirmedOnly' => true, 'pageSize' => self::LIMIT ), self::TIMEOUT_SECONDS );
		$lines  = array();
		foreach ( is_array( $answer['links'] ?? null ) ? $answer['links'] : array() as $link ) {
			$user    = get_userdata( (int) ( $link['wooCustomerId'] ?? 0 ) );
			$lines[] = sprintf(
				/* translators: 1: name of a user, 2: number of the user, 3: number of a till customer */
				__( '%1$s (user %2$s) is linked to till customer %3$s', 'tillsync-bridge' ),
				false === $user ? __( 'Deleted user', 'tillsync-bridge' ) : $user->display_name,
				(string) ( $link['wooCustomerId'] ?? '' ),
				(string) ( $link['eposCustomerId'] ?? '' )
			);
		}
		if ( array() === $lines ) {
			return array( __( 'A confirmed email, or a person, stands behind every link.', 'tillsync-bridge' ) );
		}
		if ( '' !== (string) ( $answer['nextPageToken'] ?? '' ) ) {
			$lines[] = __( 'There are more: your tillsync operator can list them all.', 'tillsync-bridge' );
		}
		$lines[] = __( 'These shoppers see their points as before. Where one is wrong, unlink it on the user\'s profile; linked again there by hand, it is no longer listed.', 'tillsync-bridge' );
		return $lines;
	}
}
