<?php
/**
 * The service's message version.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Service;


/**
 * Stores which version of messages the service reads. Each answer carries it in the header Tillsync-Api. Version 1, or no header, refuses a
 * message with an unknown field, so the plugin omits newer fields. Version 2 ignores unknown fields. Version 3 calls the shop when an order
 * is due.
 */
class ServiceApi {

	public const HEADER = 'tillsync-api';

	private const OPTION = 'tillsync_bridge_service_api';

	/** Returns the version of the service's last answer. */
	public function version(): int {
		return max( 1, (int) get_option( self::OPTION, 1 ) );
	}

	/** Tells whether an order may carry that its account's email is confirmed. A service of version 1 refuses an order with that field. */
	public function accepts_confirmations(): bool {
		return 2 <= $this->version();
	}

	/** Tells whether the service calls the shop at a time that the plugin asks for. */
	public function plans_drains(): bool {
		return 3 <= $this->version();
	}

	/**
	 * Stores the version of an answer. Only answers of the service itself count.
	 *
	 * @param string $header The header's value; empty where the answer has none.
	 */
	public function store( string $header ): void {
		$version = preg_match( '/^[1-9][0-9]{0,5}$/D', $header ) ? (int) $header : 1;
		if ( $version !== $this->version() ) {
			update_option( self::OPTION, $version );
		}
	}
}
