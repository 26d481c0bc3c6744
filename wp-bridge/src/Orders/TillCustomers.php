<?php
/**
 * The search for till customers.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

use Tillsync\Bridge\Service\ServiceClient;
use Tillsync\Bridge\Service\ServiceError;

/** Searches till customers through the service, so that a person can choose one. It stores no result. */
class TillCustomers {

	private const TIMEOUT_SECONDS = 20;

	public function __construct( private readonly ServiceClient $service_client ) {}

	/**
	 * @param string $query An id, an email or a part of a name.
	 * @return array{customers: array<int, array<string, string>>, truncated: bool}
	 * @throws ServiceError
	 */
	public function search( string $query ): array {
		$answer = $this->service_client->call( 'LinkService', 'SearchEposCustomers', array( 'query' => $query, 'pageSize' => 20 ), self::TIMEOUT_SECONDS );
		return array(
			'customers' => array_map( array( self::class, 'plain' ), array_filter( (array) ( $answer['customers'] ?? array() ), 'is_array' ) ),
			'truncated' => true === ( $answer['truncated'] ?? false ),
		);
	}

	/**
	 * Returns one customer by id.
	 *
	 * @return array<string, string>|null Null when the till has no such customer.
	 * @throws ServiceError
	 */
	public function find( string $epos_customer_id ): ?array {
		foreach ( $this->search( $epos_customer_id )['customers'] as $customer ) {
			if ( $customer['id'] === $epos_customer_id ) {
				return $customer;
			}
		}
		return null;
	}

	/**
	 * Returns the fields that the browser may get, and no others.
	 *
	 * @param array<string, mixed> $customer An EposCustomer message.
	 * @return array<string, string>
	 */
	public static function plain( array $customer ): array {
		$plain = array();
		foreach ( array( 'eposCustomerId' => 'id', 'name' => 'name', 'maskedEmail' => 'email', 'cardNumber' => 'card', 'points' => 'points', 'balance' => 'balance', 'signUpDate' => 'sign_up_date', 'linkedWooCustomerId' => 'linked_user_id' ) as $from => $to ) {
			$plain[ $to ] = is_scalar( $customer[ $from ] ?? null ) ? (string) $customer[ $from ] : '';
		}
		return $plain;
	}
}
