<?php
/**
 * A person's decisions about an order's customer.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

use Tillsync\Bridge\Customers\RegistrationTime;
use Tillsync\Bridge\Service\ServiceClient;
use Tillsync\Bridge\Service\ServiceError;
use WC_Order;

/** Sends the decisions to the service. Sales already at the till keep their customer, and the screens say so. */
class OrderDecisions {

	private const TIMEOUT_SECONDS = 20;

	public function __construct(
		private readonly Drain $drain,
		private readonly TillCustomers $till_customers,
		private readonly Answers $answers,
		private readonly Outbox $outbox,
		private readonly ServiceClient $service_client
	) {}

	/** Requests a new match from the service. The order is sent at once; its answer may take a moment. */
	public function match_again( WC_Order $order ): DrainReport {
		$this->outbox->request_match( $order->get_id() );
		return $this->drain->run_one( $order->get_id() );
	}

	/**
	 * Returns the link of the order's shop customer.
	 *
	 * @return array{epos_customer_id: string, usable: bool, customer: array<string, string>|null}|null Null for a guest or a shop customer
	 * without a link.
	 * @throws ServiceError
	 */
	public function link_of( WC_Order $order ): ?array {
		if ( $order->get_customer_id() < 1 ) {
			return null;
		}
		$link = $this->link( $order->get_customer_id() );
		if ( null === $link ) {
			return null;
		}
		$is_of_another = RegistrationTime::is_link_of_another_person( $link, $order->get_customer_id() );
		return array(
			'epos_customer_id' => (string) ( $link['eposCustomerId'] ?? '0' ),
			'usable'           => true === ( $link['usable'] ?? false ) && ! $is_of_another,
			'customer'         => $is_of_another ? null : $this->till_customers->find( (string) ( $link['eposCustomerId'] ?? '0' ) ),
		);
	}

	/**
	 * Deletes the link of the order's shop customer. Only a person can link that customer again.
	 *
	 * @throws ServiceError
	 */
	public function unlink( WC_Order $order ): void {
		$this->call( 'LinkService', 'DeleteLink', array( 'wooCustomerId' => (string) $order->get_customer_id() ) );
	}

	/**
	 * Chooses the till customer of the order and, for a shop customer, of all later orders.
	 *
	 * relink() deletes a link to another till customer first, and restores it when the service refuses the new one. For a guest, only this
	 * held or failed order gets the chosen customer.
	 *
	 * @throws ServiceError
	 */
	public function choose( WC_Order $order, string $epos_customer_id ): DrainReport {
		$user_id = $order->get_customer_id();
		if ( $user_id > 0 ) {
			$this->relink( (string) $user_id, $epos_customer_id );
			return $this->match_again( $order );
		}
		$answer = $this->answers->of( $order );
		if ( null === $answer || ! in_array( $answer->state, array( Answer::HELD, Answer::FAILED ), true ) ) {
			throw new ServiceError( 'failed_precondition', 0, __( 'A guest has no link, so another customer can be chosen only while the order is held or has failed', 'tillsync-bridge' ) );
		}
		$this->call( 'LinkService', 'ResolveOrderCustomer', array( 'entryId' => $answer->entry_id, 'eposCustomerId' => $epos_customer_id ) );
		$this->outbox->request_poll( $order->get_id() );
		return $this->drain->run_one( $order->get_id() );
	}

	/** @throws ServiceError */
	private function relink( string $user_id, string $epos_customer_id ): void {
		$link   = $this->link( (int) $user_id );
		$before = (string) ( $link['eposCustomerId'] ?? '' );
		$other  = '' !== $before && $before !== $epos_customer_id;
		if ( $other ) {
			$this->call( 'LinkService', 'DeleteLink', array( 'wooCustomerId' => $user_id ) );
		}
		try {
			$this->call( 'LinkService', 'CreateLink', array( 'eposCustomerId' => $epos_customer_id, 'wooCustomerId' => $user_id ) );
		} catch ( ServiceError $error ) {
			if ( $other && true === ( $link['usable'] ?? false ) && ! $error->is_transport() ) {
				$this->call( 'LinkService', 'CreateLink', array( 'eposCustomerId' => $before, 'wooCustomerId' => $user_id ) );
			}
			throw $error;
		}
	}

	/**
	 * @return array<string, mixed>|null A Link message.
	 * @throws ServiceError
	 */
	private function link( int $user_id ): ?array {
		try {
			$answer = $this->call( 'LinkService', 'GetLink', array( 'wooCustomerId' => (string) $user_id ) );
		} catch ( ServiceError $error ) {
			if ( 'not_found' === $error->connect_code ) {
				return null;
			}
			throw $error;
		}
		return is_array( $answer['link'] ?? null ) ? $answer['link'] : null;
	}

	/**
	 * @param array<string, mixed> $message The request.
	 * @return array<string, mixed>
	 * @throws ServiceError
	 */
	private function call( string $service, string $method, array $message ): array {
		return $this->service_client->call( $service, $method, $message, self::TIMEOUT_SECONDS );
	}
}
