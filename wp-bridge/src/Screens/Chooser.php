<?php
/**
 * The duplicate chooser.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Screens;

use Tillsync\Bridge\Orders\TillCustomers;
use Tillsync\Bridge\Service\ServiceClient;
use Tillsync\Bridge\Service\ServiceError;

/**
 * Lists the candidates of a held order, read from the till now, and applies the person's choice. A shopper with an account is linked; a
 * guest's order gets the chosen customer. In both cases the service requeues every held order of that person, oldest first.
 */
class Chooser {

	/** Seconds. The service reads the candidates from the till one by one. */
	private const TIMEOUT_SECONDS = 20;

	public function __construct(
		private readonly QueueRow $queue_row,
		private readonly QueueWork $queue_work,
		private readonly ServiceClient $service_client
	) {}

	/**
	 * @return array{row: array<string, mixed>, guest: bool, candidates: array<int, array<string, mixed>>}
	 * @throws ServiceError
	 */
	public function candidates( string $entry_id ): array {
		$answer  = $this->service_client->call( 'LinkService', 'ListCandidates', array( 'entryId' => $entry_id ), self::TIMEOUT_SECONDS );
		$entry   = (array) ( $answer['entry'] ?? array() );
		$user_id = (string) ( $entry['wooCustomerId'] ?? '0' );
		$found   = array();
		foreach ( array_filter( (array) ( $answer['candidates'] ?? array() ), 'is_array' ) as $candidate ) {
			$plain                 = TillCustomers::plain( $candidate );
			$plain['sign_up_date'] = self::day( $plain['sign_up_date'] );
			$linked                = $plain['linked_user_id'];
			$plain['taken']        = '0' !== $user_id && '' !== $linked && '0' !== $linked && $linked !== $user_id;
			$found[]               = $plain;
		}
		return array( 'row' => $this->queue_row->plain( $entry ), 'guest' => '0' === $user_id, 'candidates' => $found );
	}

	/**
	 * @return array{message: string}
	 * @throws ServiceError
	 */
	public function choose( string $entry_id, string $epos_customer_id ): array {
		$entry  = (array) ( $this->service_client->call( 'QueueService', 'GetQueueEntry', array( 'entryId' => $entry_id ), QueueList::TIMEOUT_SECONDS )['entry'] ?? array() );
		$guest  = '0' === (string) ( $entry['wooCustomerId'] ?? '0' );
		$answer = $this->service_client->call(
			'LinkService',
			'ResolveOrderCustomer',
			array( 'entryId' => $entry_id, 'eposCustomerId' => $epos_customer_id ) + ( $guest ? array() : array( 'createLink' => true ) ),
			self::TIMEOUT_SECONDS
		);
		$this->queue_work->request_polls( array( $answer['entry'] ?? null ) );
		$others  = (int) ( $answer['releasedOrderCount'] ?? 0 );
		$message = $guest
			/* translators: %s: number of a customer at the till */
			? sprintf( __( 'The order goes to till customer %s.', 'tillsync-bridge' ), $epos_customer_id )
			/* translators: %s: number of a customer at the till */
			: sprintf( __( 'The shopper is linked to till customer %s.', 'tillsync-bridge' ), $epos_customer_id );
		if ( $others > 0 ) {
			/* translators: %d: number of orders */
			$message .= ' ' . sprintf( _n( '%d further order of this person goes on too.', '%d further orders of this person go on too.', $others, 'tillsync-bridge' ), $others );
		}
		return array( 'message' => $message );
	}

	/** Returns only the day, because the till sends a local time without a zone. */
	private static function day( string $served ): string {
		return preg_match( '/^(\d{4})-(\d{2})-(\d{2})/', $served, $found ) && checkdate( (int) $found[2], (int) $found[3], (int) $found[1] )
			? (string) wp_date( get_option( 'date_format', 'Y-m-d' ), gmmktime( 12, 0, 0, (int) $found[2], (int) $found[3], (int) $found[1] ), new \DateTimeZone( 'UTC' ) )
			: '';
	}
}
