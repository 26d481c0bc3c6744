<?php
/**
 * Which messages the service reads.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Service;


/**
 * The service says it with every answer, in the header Tillsync-Api. 1 (no header): it refuses a message with a field that it does not
 * know, so whatever came later is left out. 2: it passes over such fields.
 */
class ServiceApi {

	public const HEADER = 'tillsync-api';

	private const OPTION = 'tillsync_bridge_service_api';

	/** As the service said last. */
	public function version(): int {
		return max( 1, (int) get_option( self::OPTION, 1 ) );
	}

	/** Whether an order may say that its account's email is confirmed: a service of before refuses the order for it. */
	public function takes_confirmations(): bool {
		return 2 <= $this->version();
	}

	/**
	 * Keeps what an answer says. An answer that is not the service's own says nothing.
	 *
	 * @param string $header The header of an answer of the service; empty: it has none.
	 */
	public function heard( string $header ): void {
		$version = preg_match( '/^[1-9][0-9]{0,5}$/D', $header ) ? (int) $header : 1;
		if ( $version !== $this->version() ) {
			update_option( self::OPTION, $version );
		}
	}
}
