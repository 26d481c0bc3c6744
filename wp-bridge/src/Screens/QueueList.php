<?php
/**
 * A page of a queue.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Screens;

use Tillsync\Bridge\Events\HeldCount;
use Tillsync\Bridge\Health\AlertTracker;
use Tillsync\Bridge\Orders\AnswerTexts;
use Tillsync\Bridge\Service\ServiceClient;
use Tillsync\Bridge\Service\ServiceError;

/** Reads the queues page's data from the service. The timeout is short, because a person waits for the page. */
class QueueList {

	public const TIMEOUT_SECONDS = 3;
	public const PAGE_SIZE       = 25;

	/** The browser's names and the contract's. */
	public const QUEUES = array( 'customers' => 'QUEUE_CUSTOMERS', 'orders' => 'QUEUE_ORDERS' );
	public const STATES = array(
		'held'      => 'ENTRY_STATE_HELD',
		'pending'   => 'ENTRY_STATE_PENDING',
		'failed'    => 'ENTRY_STATE_FAILED',
		'processed' => 'ENTRY_STATE_PROCESSED',
		'skipped'   => 'ENTRY_STATE_SKIPPED',
		'dismissed' => 'ENTRY_STATE_DISMISSED',
	);

	/** Kinds of search that a search text can mean. */
	public const SEARCHES = array( 'email', 'order', 'till', 'shop', 'text' );

	public function __construct(
		private readonly AlertTracker $alert_tracker,
		private readonly QueueRow $queue_row,
		private readonly HeldCount $held_count,
		private readonly ServiceClient $service_client
	) {}

	/**
	 * @param array<string, mixed> $request queue, state, outcome, search, by, page_token, counts.
	 * @return array<string, mixed> rows, next_page_token, by, try_next (the next kind of search when nothing was found), counts, problems.
	 * @throws ServiceError
	 */
	public function page( array $request ): array {
		$queue   = (string) $request['queue'];
		$search  = trim( (string) $request['search'], " \t\n\r\0\x0B#" );
		$order   = self::order_of_searches( $search, $queue );
		$by      = in_array( $request['by'], $order, true ) ? (string) $request['by'] : ( $order[0] ?? '' );
		$message = array( 'queue' => self::QUEUES[ $queue ], 'pageSize' => self::PAGE_SIZE ) + self::search( $queue, $by, $search );
		if ( '' !== $request['state'] ) {
			$message['states'] = array( self::STATES[ $request['state'] ] );
		}
		if ( '' !== $request['outcome'] ) {
			$message['outcomes'] = array( $request['outcome'] );
		}
		if ( '' !== $request['page_token'] ) {
			$message['pageToken'] = $request['page_token'];
		}
		if ( $request['counts'] ) {
			$message['withCounts'] = true;
		}
		$answer = $this->service_client->call( 'CustomerSyncService', 'ListQueue', $message, self::TIMEOUT_SECONDS );
		$this->alert_tracker->problem( is_array( $answer['problem'] ?? null ) ? $answer['problem'] : null );
		$rows  = array_map( fn( array $entry ) => $this->queue_row->plain( $entry ), array_filter( (array) ( $answer['entries'] ?? array() ), 'is_array' ) );
		$after = array_slice( $order, 1 + (int) array_search( $by, $order, true ) );
		return array(
			'rows'            => $rows,
			'next_page_token' => (string) ( $answer['nextPageToken'] ?? '' ),
			'by'              => $by,
			'try_next'        => array() === $rows && '' === $request['page_token'] ? ( $after[0] ?? '' ) : '',
			'counts'          => $this->counts( $queue, (array) ( $answer['stateCounts'] ?? array() ) ),
			'problems'        => self::problems_of( $queue, $answer ),
		);
	}

	/**
	 * Returns why the queue's entries wait. Orders need only the till. An older service sends one problem, which blocks everything.
	 *
	 * @param array<string, mixed> $answer Answer of ListQueue.
	 * @return array<int, string>
	 */
	private static function problems_of( string $queue, array $answer ): array {
		$holds    = static fn( array $problem ): bool => 'orders' !== $queue || 'SIDE_SHOP' !== ( $problem['side'] ?? '' );
		$problems = is_array( $answer['problems'] ?? null ) ? array_filter( $answer['problems'], 'is_array' ) : array();
		$problems = array() === $problems ? array_filter( array( $answer['problem'] ?? null ), 'is_array' ) : array_filter( $problems, $holds );
		return array_values( array_map( static fn( array $problem ): string => (string) ( $problem['text'] ?? '' ), $problems ) );
	}

	/**
	 * Returns one entry with its attempts.
	 *
	 * @return array{row: array<string, mixed>, attempts: array<int, array<string, mixed>>}
	 * @throws ServiceError
	 */
	public function entry( string $entry_id ): array {
		$answer = $this->service_client->call( 'QueueService', 'GetQueueEntry', array( 'entryId' => $entry_id ), self::TIMEOUT_SECONDS );
		$entry  = (array) ( $answer['entry'] ?? array() );
		$plain  = $this->queue_row;
		return array(
			'row'      => $plain->plain( $entry ),
			'attempts' => array_map( array( $plain, 'attempt' ), array_reverse( array_filter( (array) ( $entry['attempts'] ?? array() ), 'is_array' ) ) ),
		);
	}

	/**
	 * Returns the kinds of search that fit a text, most likely first.
	 *
	 * @return string[] Values of SEARCHES; empty without a search.
	 */
	private static function order_of_searches( string $search, string $queue ): array {
		if ( '' === $search ) {
			return array();
		}
		if ( false !== strpos( $search, '@' ) ) {
			return array( 'email' );
		}
		$searches = array();
		if ( preg_match( '/^[1-9][0-9]{0,17}$/D', $search ) ) {
			$searches = 'orders' === $queue ? array( 'order', 'till', 'shop' ) : array( 'till', 'shop' );
		}
		// An order's number may differ from its id, and text search finds it.
		if ( mb_strlen( $search ) >= 2 && mb_strlen( $search ) <= 100 ) {
			array_splice( $searches, min( 1, count( $searches ) ), 0, array( 'text' ) );
		}
		return array() === $searches ? array( 'text' ) : $searches;
	}

	/** @return array<string, string> Fields of ListQueueRequest. */
	private static function search( string $queue, string $by, string $search ): array {
		// Entries of till customers have no email, so the shop looks up its user by the email.
		$user = 'customers' === $queue && 'email' === $by ? get_user_by( 'email', $search ) : false;
		if ( false !== $user ) {
			return array( 'wooCustomerId' => (string) $user->ID );
		}
		$fields = array( 'email' => 'email', 'order' => 'orderId', 'till' => 'eposCustomerId', 'shop' => 'wooCustomerId', 'text' => 'text' );
		return '' === $by ? array() : array( $fields[ $by ] => $search );
	}

	/**
	 * @param array<int, mixed> $counts StateCounts.
	 * @return array<int, array{state: string, label: string, count: int, capped: bool}>
	 */
	private function counts( string $queue, array $counts ): array {
		$plain = array();
		foreach ( array_filter( $counts, 'is_array' ) as $count ) {
			$name = array_search( $count['state'] ?? '', self::STATES, true );
			if ( false === $name ) {
				continue;
			}
			$plain[] = array( 'state' => $name, 'label' => AnswerTexts::state( self::STATES[ $name ] ), 'count' => (int) ( $count['count'] ?? 0 ), 'capped' => true === ( $count['capped'] ?? false ) );
			if ( 'held' === $name && 'orders' === $queue ) {
				$this->held_count->store( (int) ( $count['count'] ?? 0 ) );
			}
		}
		return $plain;
	}
}
