<?php
/**
 * The command `wp tillsync`.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Cli;

use Closure;
use Tillsync\Bridge\Orders\DrainLimits;
use Tillsync\Bridge\Orders\OrderFacts;
use Tillsync\Bridge\Orders\OrderPanel;
use Tillsync\Bridge\Screens\QueueList;
use Tillsync\Bridge\Service\ServiceError;
use WP_CLI;

/**
 * Manages the bridge between this shop and its tillsync service.
 */
final class TillsyncCommand {

	/** @param Closure(): CommandTools $tools Creates the objects when a command runs, because WP-CLI creates this object in every run. */
	public function __construct( private readonly Closure $tools ) {}

	/**
	 * Shows the state of the bridge: connection, outbox, cron. It calls no service.
	 *
	 * ## OPTIONS
	 *
	 * [--format=<format>]
	 * : table, json, csv or yaml.
	 * ---
	 * default: table
	 * ---
	 *
	 * @param string[]              $positional None.
	 * @param array<string, string> $options    format.
	 */
	public function status( array $positional, array $options ): void {
		$facts = ( $this->tools )()->health_facts->read();
		if ( 'json' === ( $options['format'] ?? 'table' ) ) {
			WP_CLI::line( (string) wp_json_encode( $facts ) );
			return;
		}
		$rows = array();
		foreach ( $facts as $name => $value ) {
			$rows[] = array( 'name' => $name, 'value' => is_bool( $value ) ? ( $value ? 'yes' : 'no' ) : (string) $value );
		}
		\WP_CLI\Utils\format_items( $options['format'] ?? 'table', $rows, array( 'name', 'value' ) );
	}

	/**
	 * Sends waiting orders and fetches answers until nothing is due. It may run beside cron and Action Scheduler. The exit status is 1 when
	 * something stops it.
	 *
	 * ## OPTIONS
	 *
	 * [--force]
	 * : Try even while the outbox is paused or the service was not reached.
	 *
	 * [--format=<format>]
	 * : table or json.
	 * ---
	 * default: table
	 * ---
	 *
	 * @param string[]              $positional None.
	 * @param array<string, string> $options    force, format.
	 */
	public function drain( array $positional, array $options ): void {
		$report = ( $this->tools )()->drain->run( new DrainLimits( ( $this->tools )()->clock, INF ), isset( $options['force'] ) );
		$this->show( array( $report->to_array() ), $options, array( 'sent', 'polled', 'ended', 'failed', 'closed', 'postponed', 'failed_calls', 'stopped_by' ) );
		if ( '' !== $report->stopped_by ) {
			$why = OrderPanel::stop_text( $report->stopped_by );
			WP_CLI::error( '' === $why ? "Stopped by: {$report->stopped_by}" : $why );
		}
	}

	/**
	 * Matches one order again and shows its answer.
	 *
	 * ## OPTIONS
	 *
	 * <order>
	 * : Id of the order.
	 *
	 * [--format=<format>]
	 * : table, json, csv or yaml.
	 * ---
	 * default: table
	 * ---
	 *
	 * @param string[]              $positional Id of the order.
	 * @param array<string, string> $options    format.
	 */
	public function match( array $positional, array $options ): void {
		$order = wc_get_order( (int) ( $positional[0] ?? 0 ) );
		if ( ! is_object( $order ) || ! OrderFacts::is_order( $order ) ) {
			WP_CLI::error( __( 'There is no such order.', 'tillsync-bridge' ) );
		}
		$report = ( $this->tools )()->order_decisions->match_again( $order );
		if ( '' !== $report->stopped_by ) {
			WP_CLI::error( OrderPanel::stop_text( $report->stopped_by ) );
		}
		$answer = ( $this->tools )()->answers->of( wc_get_order( $order->get_id() ) );
		$row    = ( $this->tools )()->outbox->find( $order->get_id() );
		$this->show(
			array(
				array(
					'order'         => $order->get_id(),
					'state'         => null === $answer ? ( null === $row ? '' : $row->state ) : strtolower( substr( $answer->state, 12 ) ),
					'till_customer' => null === $answer ? '0' : $answer->epos_customer_id,
					'comment'       => null === $answer ? ( null === $row ? '' : $row->reason ) : $answer->comment,
				),
			),
			$options,
			array( 'order', 'state', 'till_customer', 'comment' )
		);
	}

	/**
	 * Lists a queue at the service.
	 *
	 * ## OPTIONS
	 *
	 * [<queue>]
	 * : orders or customers.
	 * ---
	 * default: orders
	 * ---
	 *
	 * [--state=<state>]
	 * : held, pending, failed, processed, skipped or dismissed.
	 *
	 * [--search=<text>]
	 * : An email, an order number or an id.
	 *
	 * [--format=<format>]
	 * : table, json, csv or yaml.
	 * ---
	 * default: table
	 * ---
	 *
	 * @param string[]              $positional Name of the queue.
	 * @param array<string, string> $options    state, search, format.
	 */
	public function queue( array $positional, array $options ): void {
		$queue = $positional[0] ?? 'orders';
		$state = (string) ( $options['state'] ?? '' );
		if ( ! isset( QueueList::QUEUES[ $queue ] ) || ( '' !== $state && ! isset( QueueList::STATES[ $state ] ) ) ) {
			WP_CLI::error( 'The queue is orders or customers; the state held, pending, failed, processed, skipped or dismissed.' );
		}
		$request = array( 'queue' => $queue, 'state' => $state, 'outcome' => '', 'search' => (string) ( $options['search'] ?? '' ), 'by' => '', 'page_token' => '', 'counts' => false );
		$rows    = array();
		do {
			$page          = $this->call_or_exit( fn() => ( $this->tools )()->queue_list->page( $request ) );
			$request['by'] = $page['try_next'];
			$rows          = $page['rows'];
		} while ( '' !== $page['try_next'] );
		$this->show( $rows, $options, array( 'id', 'subject', 'state', 'comment', 'attempts', 'updated' ) );
	}

	/**
	 * Tests both sides through the service, step by step. The exit status is 1 when a step fails.
	 *
	 * ## OPTIONS
	 *
	 * [--format=<format>]
	 * : table, json, csv or yaml.
	 * ---
	 * default: table
	 * ---
	 *
	 * @subcommand test-connection
	 *
	 * @param string[]              $positional None.
	 * @param array<string, string> $options    format.
	 */
	public function test_connection( array $positional, array $options ): void {
		$checked = $this->call_or_exit( fn() => ( $this->tools )()->service_test->steps() );
		// The steps are in the service's own words, because a person with a terminal may be its operator.
		$this->show( $checked['steps'], $options, array( 'side', 'state', 'text', 'remedy' ) );
		if ( ! $checked['ok'] ) {
			WP_CLI::error( __( 'Something is wrong: see the steps.', 'tillsync-bridge' ) );
		}
	}

	/**
	 * @template T
	 * @param \Closure(): T $body Calls the service.
	 * @return T
	 */
	private function call_or_exit( \Closure $body ) {
		try {
			return $body();
		} catch ( ServiceError $error ) {
			WP_CLI::error( $error->sentence() );
		}
	}

	/**
	 * @param array<int, array<string, mixed>> $rows    Rows.
	 * @param array<string, string>            $options format.
	 * @param string[]                         $columns Columns of a table; JSON has the same.
	 */
	private function show( array $rows, array $options, array $columns ): void {
		$rows = array_map( static fn( array $row ) => array_intersect_key( $row, array_flip( $columns ) ), array_values( $rows ) );
		if ( 'json' === ( $options['format'] ?? 'table' ) ) {
			WP_CLI::line( (string) wp_json_encode( $rows ) );
			return;
		}
		$rows = array_map( static fn( array $row ) => array_map( static fn( $value ) => is_bool( $value ) ? ( $value ? 'yes' : 'no' ) : (string) $value, $row ), $rows );
		\WP_CLI\Utils\format_items( $options['format'] ?? 'table', $rows, $columns );
	}
}
